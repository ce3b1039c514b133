"""What people say of a moment of Craftax-Classic, as facts of its state: ground, creatures, time, needs, things."""

from oyster_jax.core.facts import SIDES, Fact, sided
from oyster_jax.data.sources.craftax_state import QUANTITIES

#: Kinds of tiles, how many make it worth saying of a side, and how it is said.
GROUND = {
    "water": (("water",), 3.0, "water"),
    "tree": (("tree",), 2.0, "trees"),
    "stone": (("stone",), 4.0, "stone"),
    "sand": (("sand",), 3.0, "sand"),
    "path": (("path",), 3.0, "a tunnel"),
    "lava": (("lava",), 1.0, "lava"),
    "coal": (("coal",), 1.0, "coal"),
    "iron": (("iron",), 1.0, "iron"),
    "diamond": (("diamond",), 1.0, "a diamond"),
    "table": (("table",), 1.0, "a crafting table"),
    "furnace": (("furnace",), 1.0, "a furnace"),
}

#: What is alive, and the largest number that is counted.
CREATURES = {"cow": 3, "zombie": 2, "skeleton": 2}

#: Points from which on, downwards, a need is felt.
LOW = 3.0

_NUMBERS = ("no", "one", "two", "three")
_CARRIED = QUANTITIES.names[4:16]
_TOOLS = tuple(name for name in _CARRIED if "_" in name)


def _ground() -> list[Fact]:
    found = []
    for topic, (kinds, least, says) in GROUND.items():
        found.append(Fact(name=f"{topic}_here", says=says, topic=topic, part="tiles", of=kinds, least=least))
        found += [
            Fact(
                name=f"{topic}_{side}", says=f"{says} {sided(side)}", topic=topic, part="tiles", of=kinds, region=side,
                least=least,
            )
            for side in SIDES
        ]  # fmt: skip
    for topic in ("water", "tree", "stone"):
        kinds, _, says = GROUND[topic]
        found.append(
            Fact(name=f"{topic}_none", says=f"no {says}", topic=topic, part="tiles", of=kinds, least=0.0, most=0.0)
        )
    wide = {
        "meadow": (("grass",), 45.0, "open grassland"),
        "forest": (("tree",), 7.0, "a forest"),
        "cave": (("path", "stone", "coal", "iron", "diamond"), 40.0, "a cave"),
        "beach": (("sand",), 15.0, "a beach"),
    }
    found += [
        Fact(name=name, says=says, topic="scenery", part="tiles", of=kinds, least=least)
        for name, (kinds, least, says) in wide.items()
    ]
    near = {"water": "water within reach", "tree": "a tree within reach", "lava": "lava close by",
            "table": "a crafting table within reach"}  # fmt: skip
    found += [
        Fact(
            name=f"{topic}_near", says=says, topic=topic, part="tiles", of=GROUND[topic][0],
            region="near" if topic == "lava" else "beside",
        )
        for topic, says in near.items()
    ]  # fmt: skip
    return found


def _creatures() -> list[Fact]:
    found = []
    for name, most in CREATURES.items():
        found.append(
            Fact(name=f"{name}_none", says=f"no {name}", topic=name, part="entities", of=(name,), least=0.0, most=0.0)
        )
        found.append(Fact(name=f"{name}_here", says=f"a {name}", topic=name, part="entities", of=(name,)))
        for count in range(1, most + 1):
            says = f"{_NUMBERS[count]} {name}{'s' if count > 1 else ''}"
            found.append(
                Fact(
                    name=f"{name}_{count}",
                    says=says,
                    topic=name,
                    part="entities",
                    of=(name,),
                    least=float(count),
                    most=float(count),
                )
            )
        found += [
            Fact(
                name=f"{name}_{side}", says=f"a {name} {sided(side)}", topic=name, part="entities", of=(name,),
                region=side,
            )
            for side in SIDES
        ]  # fmt: skip
        found.append(
            Fact(name=f"{name}_near", says=f"a {name} close by", topic=name, part="entities", of=(name,), region="near")
        )
    alive = tuple(CREATURES)
    found.append(Fact(name="alone", says="no creatures", topic="alive", part="entities", of=alive, least=0.0, most=0.0))
    found.append(Fact(name="arrow_here", says="an arrow in flight", topic="arrow", part="entities", of=("arrow",)))
    found.append(Fact(name="plant_here", says="a planted sapling", topic="plant", part="entities", of=("plant",)))
    return found


def _owned() -> list[Fact]:
    def quantity(
        name: str, says: str, topic: str, of: tuple[str, ...], least: float, most: float | None = None
    ) -> Fact:
        return Fact(name=name, says=says, topic=topic, part="quantities", of=of, least=least, most=most)

    light = ("daylight",)
    found = [
        quantity("night", "night", "time", light, 0.0, 0.3),
        quantity("twilight", "dusk or dawn", "time", light, 0.3, 0.7),
        quantity("day", "bright day", "time", light, 0.7),
        quantity("sleeping", "asleep", "sleep", ("sleeping",), 1.0),
        quantity("healthy", "full health", "health", ("health",), 9.0),
        quantity("hurt", "badly hurt", "health", ("health",), 0.0, LOW),
        quantity("hungry", "hungry", "food", ("food",), 0.0, LOW),
        quantity("thirsty", "thirsty", "drink", ("drink",), 0.0, LOW),
        quantity("tired", "tired", "energy", ("energy",), 0.0, LOW),
        quantity("empty_handed", "carrying nothing", "carried", _CARRIED, 0.0, 0.0),
        quantity("unarmed", "no sword", "sword", tuple(name for name in _TOOLS if "sword" in name), 0.0, 0.0),
    ]
    for name in _CARRIED:
        says = (
            f"{'an' if name[0] == 'i' and name in _TOOLS else 'a'} {name.replace('_', ' ').replace('wood ', 'wooden ')}"
        )
        found.append(
            quantity(f"has_{name}", says if name in (*_TOOLS, "sapling") else f"some {name}", name, (name,), 1.0)
        )
    found += [quantity(f"much_{name}", f"much {name}", name, (name,), 5.0) for name in ("wood", "stone")]
    return found


FACTS = (*_ground(), *_creatures(), *_owned())
