"""What goes wrong with a session, as sentences."""


class SessionError(ValueError):
    """A session cannot be opened, read or gone on with; the message names the file and what to do."""


class SessionEndedError(SessionError):
    """A session has lived as long as it was meant to; extend it or rewind."""
