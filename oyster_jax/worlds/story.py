"""A story: acts that follow each other and fork, as a small typed file says them.

    world = "coinrun"
    seed = 7

    [[act]]
    label = "towards the saw"
    do = "right*30,right+jump*6"            # or "sticky", "random"
    ticks = 90
    until = { near = 2, within = 3.5 }      # a saw, by its type

    [[act.branch]]
    name = "over-it"
    [[act.branch.act]]
    do = "right+jump"
    ticks = 30

    [[act.branch]]
    name = "back"
    [[act.branch.act]]
    do = "left"
    ticks = 30

and of a world that knows what is in its frames, words and events:

    world = "craftax"
    prompt = "grass, two cows, noon"

    [[act]]
    do = "right*9"
    until = { near = "cow", within = 2, below = { food = 5 } }

    [[act]]
    event = "it gets dark"                  # an event's name, or a sentence
    edit = { set = { health = 9 } }
    do = "noop*8"

    [[act]]
    cut = { prompt = "a cave, dark" }       # goes on from there, as a story begins, and remembers nothing
    do = "right*9"

What may stand in it are the fields of `Story`, `Act`, `Cut` and `Condition`.
"""

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from oyster_jax.core.spec import LONGEST, script_parts
from oyster_jax.data.policies import POLICIES
from oyster_jax.session.branch import MAIN, is_plain
from oyster_jax.session.intervention import CUT, EDIT, EVENT
from oyster_jax.worlds.condition import Condition
from oyster_jax.worlds.cut import BEGINNINGS, Cut
from oyster_jax.worlds.errors import StoryError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Act:
    """Some ticks under one way of acting, what is done to the world before them, and what may follow.

    Attributes:
      do: a script of actions, begun again when it is at its end, or the name of a policy; nothing where the act only
        does something to the world.
      ticks: how long it lasts at most; as long as the script unless given.
      when: it takes place only if this holds when its turn comes.
      until: it ends early once this holds.
      cut: goes on from another beginning before its first tick, and before its edit and event.
      event: made to happen with its first tick (where it has none, with that of the next act), as `Session.event` takes
        it: a name, or a sentence.
      edit: changes the world before its first tick, as `Session.edit` takes it.
      label: written beside its first tick.
      branches: acts that each go on from its end, by name; nothing else follows it then.
    """

    do: str = ""
    ticks: int
    when: Condition | None = None
    until: Condition | None = None
    cut: Cut | None = None
    event: str | None = None
    edit: Mapping[str, Any] | None = None
    label: str = ""
    branches: Mapping[str, tuple["Act", ...]] = dataclasses.field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        done = [] if self.cut is None else [f"a cut to {self.cut.sentence}"]
        done += [] if self.edit is None else ["an edit"]
        return ", ".join([*done, *(part for part in (self.event, self.do) if part)])

    @property
    def interventions(self) -> list[tuple[str, Any]]:
        """Kind and content of what is done to the world, in order."""
        every = ((CUT, self.cut), (EDIT, self.edit), (EVENT, self.event))
        return [(kind, given) for kind, given in every if given is not None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Story:
    """What is to be lived, from where.

    Attributes:
      world: name or folder.
      acts: in their order.
      seed: of the world and of policies.
      begin: name of a recorded moment that comes with the world; a place is dreamt where nothing says how it begins.
      prompt: a sentence that it begins with.
      image: file of a picture that it begins with.
      entities: file of a description that it begins with, as `World.encode` takes it.
    """

    world: str
    acts: tuple[Act, ...]
    seed: int = 0
    begin: str | None = None
    prompt: str | None = None
    image: str | None = None
    entities: str | None = None

    @property
    def ticks(self) -> int:
        """How many its longest way through may take."""
        return _longest(self.acts)

    @property
    def turns(self) -> list[tuple[str, Act]]:
        """All acts in the order in which they are told, each with the branch that it is told on."""
        return list(_turns(MAIN, self.acts))

    @property
    def leaves(self) -> tuple[str, ...]:
        """The branches at whose ends no other leaves, in the order in which they are told."""
        forks = {branch for branch, act in self.turns if act.branches}
        return tuple(branch for branch in dict.fromkeys(branch for branch, _ in self.turns) if branch not in forks)


def _longest(acts: Sequence[Act]) -> int:
    return sum(act.ticks for act in acts) + max(map(_longest, acts[-1].branches.values()), default=0)


def _turns(branch: str, acts: Sequence[Act]) -> Iterator[tuple[str, Act]]:
    for act in acts:
        yield branch, act
    for name, others in acts[-1].branches.items():
        yield from _turns(name, others)


def read_story(path: Path) -> Story:
    """Reads a story from a file of TOML; the files that it names are looked for beside it.

    Raises:
      StoryError: the file is missing, or something in it is not what a story has.
    """
    try:
        story = parsed(path.read_text("utf-8"))
    except OSError as error:
        raise StoryError(f"{path} cannot be read ({error.strerror}); give the file of a story.") from error
    except (StoryError, UnicodeDecodeError) as error:
        raise StoryError(f"{path}: {error}") from error
    files = {name: str(path.parent / file) for name in ("image", "entities") if (file := getattr(story, name))}
    return dataclasses.replace(story, acts=_beside(path.parent, story.acts), **files)


def _beside(folder: Path, acts: Sequence[Act]) -> tuple[Act, ...]:
    """Returns acts whose cuts name their files in a folder."""
    return tuple(
        dataclasses.replace(
            act,
            cut=None if act.cut is None else act.cut.beside(folder),
            branches={name: _beside(folder, others) for name, others in act.branches.items()},
        )
        for act in acts
    )


def parsed(text: str) -> Story:
    """Returns the story that a text tells.

    Raises:
      StoryError: it is no TOML, or something in it is not what a story has; the sentence says where.
    """
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StoryError(f"This is no TOML: {error}.") from error
    kinds = {"world": str, "seed": int, **dict.fromkeys(BEGINNINGS, str), "act": list}
    _check(said, "the story", kinds, ("world", "act"))
    _check_seed(said, "the story")
    _check_beginnings(said, "the story begins")
    acts = _acts(said.pop("act"), "act", {MAIN})
    return Story(**said, acts=acts)


def _acts(given: list[Any], where: str, names: set[str]) -> tuple[Act, ...]:
    acts = tuple(_act(each, f"{where} {number}", names) for number, each in enumerate(given, 1))
    if not acts:
        raise StoryError(f"There is no {where}; a story needs one at least.")
    for number, act in enumerate(acts[:-1], 1):
        if act.branches:
            raise StoryError(f"{where} {number} forks, so nothing can follow it; put what follows into its branches.")
    return acts


def _act(given: Any, where: str, names: set[str]) -> Act:
    kinds = {
        "do": str, "ticks": int, "when": dict, "until": dict, "cut": dict, "event": str, "edit": dict, "label": str,
        "branch": list,
    }  # fmt: skip
    _check(given, where, kinds, ())
    said: dict[str, Any] = {name: given[name] for name in ("do", "event", "edit", "label") if name in given}
    said |= {name: _condition(given[name], f"{name} of {where}") for name in ("when", "until") if name in given}
    if "cut" in given:
        said["cut"] = _cut(given["cut"], f"cut of {where}")
    ticks = _ticks(given, where)
    branches = {}
    for branch in given.get("branch", []):
        _check(branch, f"a branch of {where}", {"name": str, "act": list}, ("name", "act"))
        name = branch["name"]
        if name in names or not is_plain(name):
            raise StoryError(
                f"A branch of {where} is called '{name}'; a name has letters, digits, - and _, and no other has it."
            )
        names.add(name)
        branches[name] = _acts(branch["act"], f"act of '{name}'", names)
    return Act(ticks=ticks, branches=branches, **said)


def _ticks(given: Mapping[str, Any], where: str) -> int:
    """Returns how long an act lasts."""
    ticks, do = given.get("ticks"), given.get("do")
    if do is None:
        if not given.keys() & {"cut", "event", "edit"}:
            raise StoryError(f"{where} does nothing; give it do, cut, event or edit.")
        if extra := given.keys() & {"ticks", "until"}:
            raise StoryError(f"{where} has {min(extra)} but no do, and so lasts no tick; give it do, as in 'noop'.")
        return 0
    if ticks is None:
        if do in POLICIES:
            raise StoryError(f"{where} does not say how long '{do}' acts; give it ticks.")
        try:
            ticks = sum(count for _, count in script_parts(do))
        except ValueError as error:
            raise StoryError(f"{where}: {error}") from error
    if not 0 < ticks <= LONGEST:
        raise StoryError(f"{where} lasts from 1 to {LONGEST:,} ticks, but is to last {ticks}.")
    return ticks


def _cut(given: Any, where: str) -> Cut:
    _check(given, where, {"seed": int, **dict.fromkeys(BEGINNINGS, str), "entities": (str, dict)}, ())
    _check_seed(given, where)
    _check_beginnings(given, f"the {where} goes")
    return Cut(**given)


def _check_seed(given: Mapping[str, Any], where: str) -> None:
    if not 0 <= given.get("seed", 0) < 2**31:
        raise StoryError(f"The seed of {where} lies from 0 to {2**31 - 1}, but is {given['seed']}.")


def _check_beginnings(given: Mapping[str, Any], what: str) -> None:
    if len(names := [name for name in BEGINNINGS if name in given]) > 1:
        raise StoryError(f"{' and '.join(names)} all say where {what}; give one of them.")


def _condition(given: Any, where: str) -> Condition:
    number = (int, float)
    kinds = {
        "tick": int, "near": (int, str), "within": number, "has": dict, "below": dict, "reward": number,
        "terminal": bool,
    }  # fmt: skip
    _check(given, where, kinds, ())
    for part in ("has", "below"):
        amounts = given.get(part, {})
        _check(amounts, f"{part} of {where}", dict.fromkeys(amounts, number), ())
    if not given.keys() - {"within"}:
        raise StoryError(f"{where} asks for nothing; give tick, near, has, below, reward or terminal.")
    return Condition(**given)


def _check(given: Any, where: str, kinds: Mapping[str, Any], needed: tuple[str, ...]) -> None:
    if not isinstance(given, dict):
        raise StoryError(f"{where} is no table; write it as in [[act]].")
    for name, value in given.items():
        if name not in kinds:
            raise StoryError(f"{where} has '{name}', which nothing is called; it may have {', '.join(kinds)}.")
        # In Python a truth is a number too.
        if not isinstance(value, kinds[name]) or (isinstance(value, bool) and kinds[name] is not bool):
            raise StoryError(f"'{name}' of {where} cannot be {value!r}.")
    for name in needed:
        if name not in given:
            raise StoryError(f"{where} lacks '{name}'.")
