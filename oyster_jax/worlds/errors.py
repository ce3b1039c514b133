"""What is raised where something is wrong with a stored world, or with a story that is to be lived in one."""


class WorldError(ValueError):
    """A world cannot be found, read or written; its message is a sentence that names the file and what to do."""


class StoryError(ValueError):
    """A story cannot be read or lived; its message is a sentence that says where and what to do."""
