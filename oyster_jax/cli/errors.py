"""What a verb raises about its own options, and how it ends after Ctrl-C."""

#: Exit code after Ctrl-C.
INTERRUPTED = 130


class UsageError(ValueError):
    """Options contradict each other or cannot be met; the message says what to give instead."""
