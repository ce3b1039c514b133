"""What is done with a session from inside the house: stepped beside others, looked at from another thread.

People use the methods of `Session`; these functions take its steps apart.
"""
# ruff: noqa: SLF001  # Only this module and `Session` itself know how a session is built.

from typing import Any

from oyster_jax.session.moment import Moment
from oyster_jax.session.replayer import Replayer
from oyster_jax.worlds.session import Session


def ready(session: Session) -> Moment:
    """Returns the moment in which the next action is taken; after a rewind, of a branch of its own.

    Raises:
      SessionEndedError: the session has reached its duration.
      SessionError: it is paused or closed.
    """
    session._check_running()
    return session._own_now()


def take(session: Session, action: int, moment: Moment, seconds: float) -> None:
    """Lives the tick that an action has led to.

    Args:
      session: as `ready` left it.
      action: its id.
      moment: that follows the one which `ready` returned.
      seconds: that it takes to compute again.
    """
    session._moment, session._tick = moment, moment.tick
    branch = session._archive.branches[session.branch_name]
    session._archive.add_tick(branch, action, session.wall_time, moment.frame)
    session._replayer.keeper.add(session.branch_name, moment, seconds)


def beside(session: Session, branch: str) -> Session:
    """Returns another session, at the end of another branch of the same tree; both are closed for themselves.

    Raises:
      SessionError: there is no such branch.
    """
    session._check_open()
    return Session(session.world, session._archive, session._sharers, session._archive.branch(branch).name)


def rest(session: Session) -> None:
    """Stops the clock of a session as `pause` does, without waiting for the disk."""
    if not session._paused and not session._closed:
        session._event("paused")
        session._lived, session._paused = session.wall_time, True


def remarks(session: Session) -> list[str]:
    """Returns what of the sentence that a session began with was not understood or could not be had, in sentences."""
    return list(session._archive.manifest.get("remarks", []))


def note(session: Session, kind: str, text: str) -> None:
    """Writes into the log of a session what was decided of a text, see `worlds.directing`."""
    session._event(kind, text)


def observer(session: Session, world: Any) -> Replayer:
    """Returns what computes any tick of a session for another thread, while it is lived on.

    Args:
      session: that is looked at.
      world: its own, or what stands for it.
    """
    return Replayer(world, session._archive)
