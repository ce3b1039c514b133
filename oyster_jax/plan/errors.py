"""What goes wrong with a plan."""


class PlanError(ValueError):
    """A plan cannot be made as asked; the message says why and what to ask for instead."""
