"""What a server answers when it will not do what was asked."""


class Refusal(Exception):  # noqa: N818  # Nothing went wrong: this is an answer.
    """A request that is not met: a code for programs, a sentence for people, an HTTP status.

    Args:
      status: of HTTP.
      code: for programs.
      message: for people: what was wrong, what to do.
    """

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def full() -> Refusal:
    """Returns the refusal of a server that carries as many players as it can."""
    return Refusal(503, "full", "The server is full: as many are playing as it can carry. Try again in a minute.")


def missing(what: str) -> Refusal:
    """Returns the refusal for something that is not there, or not the asker's."""
    return Refusal(404, "not_found", f"There is no such {what}; it may have been deleted, or belong to somebody else.")
