"""The sections of `oyster eval`: each measures one thing and says what it found."""
