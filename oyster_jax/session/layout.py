"""Which files lie where in the folder of a session, and which of them nobody needs."""

from pathlib import Path

from oyster_jax.session.branch import MAIN
from oyster_jax.session.document import copies
from oyster_jax.session.prompt import PROMPTS

#: Documents: of the session, and of each branch, in a folder of its name in that of all branches.
MANIFEST, ENDS, BRANCH = "manifest", "ends", "branch"
#: Folders, in each of them one a branch.
BRANCHES, SNAPSHOTS = "branches", "snapshots"


def is_leftover(path: Path) -> bool:
    """Returns whether this is a file that was being written whole when its writer was killed."""
    return path.name.startswith(".") and path.name.rpartition(".")[2].isdecimal() and path.is_file()


def only_begun(folder: Path) -> bool:
    """Returns whether a folder holds nothing, or what is left where the making of a session was cut off."""
    branches = folder / BRANCHES
    begun = {branches, *(folder / name for name in PROMPTS)} if branches.is_dir() else set()
    documents = {branches / MAIN / copy for copy in copies(BRANCH)}
    return all(path in begun or is_leftover(path) for path in folder.iterdir()) and all(
        path == branches / MAIN or path in documents or is_leftover(path) for path in branches.rglob("*")
    )
