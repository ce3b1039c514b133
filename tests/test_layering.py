"""The house rules that can be read off the source: who imports whom, who knows which library, how long things are."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "oyster_jax"

#: The rooms (modules and folders directly under the package), from the ground up. A module imports only from floors
#: below its own and from its own room; on the ground floor the rooms are small enough to count as one.
FLOORS = (
    ("typing", "prng", "tree", "files", "frames", "weights"),
    ("core", "parallel"),
    ("nn", "diffusion"),
    ("models", "data"),
    ("train", "generate", "session", "evaluate", "testing"),
    ("worlds", "plan"),
    ("serve", "gym"),
    ("client",),
    ("cli",),
    ("__init__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

#: The tiny world for tests ships with the package, but nothing that ships may lean on it.
TESTING = "testing"
NETWORK_LIBRARIES = ("flax", "optax", "haiku", "equinox", "torch")
NNX_ROOMS = ("nn", "models")

FILE_LINES = 400
FUNCTION_LINES = 60
ENVIRONMENT_CHANGES = ("update", "setdefault", "pop", "popitem", "clear")


class Source(NamedTuple):
    """One Python file: its path from the root of the repository, and its text."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def room(self) -> str:
        """The room of a module of the package, as in `core` for `oyster_jax/core/state.py`."""
        return Path(self.path).parts[1].removesuffix(".py")


def sources(*folders: str) -> list[Source]:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yields line and dotted name of everything that `source` imports, wherever it does."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = Path(source.path).parts[: -node.level] if node.level else ()
            module = ".".join([*package, *filter(None, [node.module])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imported_room(name: str) -> str | None:
    """The room that a dotted name lies in, or None where it is not of the package."""
    top, _, rest = name.partition(".")
    if top != PACKAGE:
        return None
    first = rest.partition(".")[0]
    # `from oyster_jax import load` asks the façade; `from oyster_jax import core` asks the room.
    return first if first in FLOOR_OF or (ROOT / PACKAGE / first).exists() else "__init__"


def floor_faults(source: Source) -> list[str]:
    if source.room not in FLOOR_OF:
        return [f"{source.path} lies in the room '{source.room}', which is on no floor; give it one in FLOORS."]
    faults = []
    floor = FLOOR_OF[source.room]
    for line, name in imports(source):
        room = imported_room(name)
        if room is None or room == source.room:
            continue
        if room not in FLOOR_OF:
            faults.append(f"{source.path}:{line} imports {name}, of a room on no floor; give '{room}' one in FLOORS.")
        elif room == TESTING:
            faults.append(f"{source.path}:{line} imports {name}, which is for tests only.")
        elif FLOOR_OF[room] >= floor > 0:
            faults.append(
                f"{source.path}:{line} is on floor {floor} and imports {name} of floor {FLOOR_OF[room]}; "
                "a module imports only from its own room and from floors below."
            )
        elif FLOOR_OF[room] > floor:
            faults.append(f"{source.path}:{line} is on the ground floor and imports {name} from above it.")
    return faults


def library_faults(source: Source) -> list[str]:
    faults = []
    for line, name in imports(source):
        if source.room == "core" and name.partition(".")[0] in NETWORK_LIBRARIES:
            faults.append(f"{source.path}:{line} imports {name}; core knows no neural-network library.")
        if f"{name}.".startswith("flax.nnx.") and source.room not in NNX_ROOMS:
            faults.append(f"{source.path}:{line} imports {name}; only {' and '.join(NNX_ROOMS)} may.")
    return faults


def length_faults(source: Source) -> list[str]:
    faults = []
    lines = len(source.text.splitlines())
    if lines > FILE_LINES:
        faults.append(f"{source.path} has {lines} lines; at most {FILE_LINES} are allowed, so split it by noun.")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                faults.append(
                    f"{source.path}:{node.lineno} {node.name} has {lines} lines; at most {FUNCTION_LINES} are allowed."
                )
    return faults


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes below `node` that run when the module is imported: all but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from run_at_import(child)


def is_environment(node: ast.AST) -> bool:
    return ast.unparse(node) in ("os.environ", "environ")


def changes_environment(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()) | ast.AugAssign(target=value):
            return is_environment(value)
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in ENVIRONMENT_CHANGES:
            return is_environment(value)
        case ast.Call(func=function):
            return ast.unparse(function) in ("os.putenv", "os.unsetenv", "putenv", "unsetenv")
    return False


def environment_faults(source: Source) -> list[str]:
    return [
        f"{source.path}:{getattr(node, 'lineno', 1)} changes the environment at import; do it where a program starts."
        for node in run_at_import(source.tree)
        if changes_environment(node)
    ]


def report(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


def test_modules_import_only_from_floors_below():
    modules = sources(PACKAGE)
    assert modules
    report([fault for source in modules for fault in floor_faults(source)])


def test_only_some_rooms_know_neural_network_libraries():
    report([fault for source in sources(PACKAGE) for fault in library_faults(source)])


def test_files_and_functions_stay_short():
    report([fault for source in sources(PACKAGE, "configs", "tools") for fault in length_faults(source)])


def test_nothing_sets_environment_variables_at_import():
    report([fault for source in sources(PACKAGE, "configs", "tools") for fault in environment_faults(source)])


@pytest.mark.parametrize(
    ("check", "path", "text", "fault"),
    [
        (floor_faults, "oyster_jax/core/a.py", "from oyster_jax.nn.rope import rotate", "is on floor 1 and imports"),
        (floor_faults, "oyster_jax/core/a.py", "def f():\n  import oyster_jax.cli", "of floor 8"),
        (floor_faults, "oyster_jax/core/a.py", "from oyster_jax import nn", "imports oyster_jax.nn of floor 2"),
        (floor_faults, "oyster_jax/core/a.py", "from ..nn import rope", "imports oyster_jax.nn.rope of floor 2"),
        (floor_faults, "oyster_jax/models/a.py", "import oyster_jax.data.episode", "imports oyster_jax.data.episode"),
        (floor_faults, "oyster_jax/cli/a.py", "from oyster_jax import load", "imports oyster_jax.load of floor 9"),
        (floor_faults, "oyster_jax/tree.py", "from oyster_jax.core.state import Status", "from above it"),
        (floor_faults, "oyster_jax/utils/a.py", "", "on no floor"),
        (floor_faults, "oyster_jax/cli/a.py", "from oyster_jax.testing import tiny", "for tests only"),
        (library_faults, "oyster_jax/core/a.py", "import optax", "core knows no neural-network library"),
        (library_faults, "oyster_jax/train/a.py", "from flax import nnx", "only nn and models may"),
        (library_faults, "oyster_jax/train/a.py", "import flax.nnx.nn", "only nn and models may"),
        (length_faults, "oyster_jax/core/a.py", "x = 1\n" * 401, "has 401 lines"),
        (length_faults, "oyster_jax/core/a.py", "def f():\n" + "  x = 1\n" * 60, "f has 61 lines"),
        (environment_faults, "oyster_jax/a.py", "import os\nos.environ['A'] = '1'", "a.py:2 changes the environment"),
        (environment_faults, "oyster_jax/a.py", "if True:\n  os.environ.setdefault('A', '1')", "a.py:2"),
        (environment_faults, "oyster_jax/a.py", "class A:\n  os.putenv('A', '1')", "a.py:2"),
    ],
)
def test_a_broken_rule_is_found(check, path, text, fault):
    faults = check(Source(path, text))
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    ("check", "path", "text"),
    [
        (floor_faults, "oyster_jax/core/a.py", "from oyster_jax.core.state import Status\nimport oyster_jax.tree"),
        (floor_faults, "oyster_jax/prng.py", "from oyster_jax.typing import PRNGKey"),
        (library_faults, "oyster_jax/models/a.py", "from flax import nnx\nimport optax"),
        (environment_faults, "oyster_jax/a.py", "def main():\n  os.environ['A'] = '1'\nx = os.environ.get('A')"),
    ],
)
def test_a_kept_rule_is_left_alone(check, path, text):
    assert check(Source(path, text)) == []
