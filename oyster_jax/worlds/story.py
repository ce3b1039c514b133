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

What may stand in it are the fields of `Story`, `Act` and `Condition`.
"""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.core.spec import LONGEST, ActionSpec, script_parts
from oyster_jax.data.policies import POLICIES
from oyster_jax.session.branch import MAIN, is_plain
from oyster_jax.worlds.errors import StoryError

#: Entities count from this probability on.
_THERE = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that may be so at a tick; of what is given all must be so.

    Attributes:
      tick: it is this tick of the session, or a later one.
      near: the type of an entity other than the agent, as `entities` reads it, that is no further than `within`.
      within: tiles, by the larger of both distances.
      reward: the predicted reward is at least this.
      terminal: the world predicts its end.
    """

    tick: int | None = None
    near: int | None = None
    within: float = 3.0
    reward: float | None = None
    terminal: bool = False

    def holds(self, tick: int, said: Mapping[str, np.ndarray]) -> bool:
        """Whether it is so.

        Args:
          tick: of the session.
          said: what the world's heads say of it, as `World.readouts` returns it.
        """
        found = [self.tick is None or tick >= self.tick, self.reward is None or float(said["reward"]) >= self.reward]
        if self.terminal:
            found.append(float(said["terminal"]) > _THERE)
        if self.near is not None:
            rows = said["entities"][said["entity_mask"] > _THERE]
            away = np.abs(rows[rows[:, 0] == self.near, 1:3]).max(axis=1, initial=0.0)
            found.append(bool((away <= self.within).any()))
        return all(found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Act:
    """Some ticks under one way of acting, and what may follow.

    Attributes:
      do: a script of actions, begun again when it is at its end, or the name of a policy.
      ticks: how long it lasts at most; as long as the script unless given.
      when: it takes place only if this holds when its turn comes.
      until: it ends early once this holds.
      label: written beside its first tick.
      branches: acts that each go on from its end, by name; nothing else follows it then.
    """

    do: str
    ticks: int
    when: Condition | None = None
    until: Condition | None = None
    label: str = ""
    branches: Mapping[str, tuple["Act", ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Story:
    """What is to be lived, from where.

    Attributes:
      world: name or folder.
      acts: in their order.
      seed: of the world and of policies.
      begin: name of a recorded moment that comes with the world; it dreams a place unless given.
    """

    world: str
    acts: tuple[Act, ...]
    seed: int = 0
    begin: str | None = None

    @property
    def ticks(self) -> int:
        """How many its longest way through may take."""
        return _longest(self.acts)


def _longest(acts: Sequence[Act]) -> int:
    return sum(act.ticks for act in acts) + max(map(_longest, acts[-1].branches.values()), default=0)


def read_story(path: Path) -> Story:
    """Reads a story from a file of TOML.

    Raises:
      StoryError: the file is missing, or something in it is not what a story has.
    """
    try:
        return parsed(path.read_text("utf-8"))
    except OSError as error:
        raise StoryError(f"{path} cannot be read ({error.strerror}); give the file of a story.") from error
    except (StoryError, UnicodeDecodeError) as error:
        raise StoryError(f"{path}: {error}") from error


def parsed(text: str) -> Story:
    """Returns the story that a text tells.

    Raises:
      StoryError: it is no TOML, or something in it is not what a story has; the sentence says where.
    """
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StoryError(f"This is no TOML: {error}.") from error
    _check(said, "the story", {"world": str, "seed": int, "begin": str, "act": list}, ("world", "act"))
    if not 0 <= said.get("seed", 0) < 2**31:
        raise StoryError(f"The seed of the story lies from 0 to {2**31 - 1}, but is {said['seed']}.")
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
    kinds = {"do": str, "ticks": int, "when": dict, "until": dict, "label": str, "branch": list}
    _check(given, where, kinds, ("do",))
    conditions = {name: _condition(given[name], f"{name} of {where}") for name in ("when", "until") if name in given}
    ticks = given.get("ticks")
    if ticks is None:
        if given["do"] in POLICIES:
            raise StoryError(f"{where} does not say how long '{given['do']}' acts; give it ticks.")
        try:
            ticks = sum(count for _, count in script_parts(given["do"]))
        except ValueError as error:
            raise StoryError(f"{where}: {error}") from error
    if not 0 < ticks <= LONGEST:
        raise StoryError(f"{where} lasts from 1 to {LONGEST:,} ticks, but is to last {ticks}.")
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
    return Act(do=given["do"], ticks=ticks, label=given.get("label", ""), branches=branches, **conditions)


def _condition(given: Any, where: str) -> Condition:
    kinds = {"tick": int, "near": int, "within": (int, float), "reward": (int, float), "terminal": bool}
    _check(given, where, kinds, ())
    if not given.keys() - {"within"}:
        raise StoryError(f"{where} asks for nothing; give tick, near, reward or terminal.")
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


def check_actions(story: Story, spec: ActionSpec) -> None:
    """Checks that a world knows what a story does.

    Raises:
      StoryError: it does not; the sentence lists what the world knows.
    """
    waiting = list(story.acts)
    while waiting:
        act = waiting.pop()
        waiting += [one for acts in act.branches.values() for one in acts]
        if act.do not in POLICIES:
            try:
                spec.script(act.do)
            except ValueError as error:
                raise StoryError(str(error)) from error
