"""What goes wrong when rollouts are generated, and is not the program's fault."""


class GenerateError(ValueError):
    """A request cannot be met, or what was generated is damaged; the message says what to do instead."""
