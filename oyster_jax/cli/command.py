"""How the user calls this program, for sentences that tell what to try next."""

import shutil
from pathlib import Path


def command() -> str:
    """Returns `oyster` where that is on the path, or else the script of the checkout that this runs from."""
    script = Path(__file__).resolve().parents[2] / "tools" / "oyster"
    if shutil.which("oyster") or not script.exists():
        return "oyster"
    folder = Path.cwd()
    return f"./{script.relative_to(folder)}" if script.is_relative_to(folder) else str(script)
