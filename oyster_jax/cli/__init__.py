"""The command `oyster`: one file a verb."""
