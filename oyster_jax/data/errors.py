"""The one exception that anything wrong with a recording raises."""


class DatasetError(ValueError):
    """A recording cannot be read or written; its message is a sentence that names the file and what to do."""
