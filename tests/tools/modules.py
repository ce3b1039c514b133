"""Modules of `tools/`, which is no package: its scripts import each other by their bare names."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def tool(name: str, folder: Path = TOOLS) -> ModuleType:
    """Returns a module of a folder of scripts."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
