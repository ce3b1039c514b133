"""What a verb raises about its own options."""


class UsageError(ValueError):
    """Options contradict each other or cannot be met; the message says what to give instead."""
