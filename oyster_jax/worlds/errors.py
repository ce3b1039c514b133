"""The one exception that anything wrong with a stored world raises."""


class WorldError(ValueError):
    """A world cannot be found, read or written; its message is a sentence that names the file and what to do."""
