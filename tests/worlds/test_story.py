"""What may stand in the file of a story, and what is said of everything else."""

import numpy as np
import pytest

from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.condition import Condition
from oyster_jax.worlds.cut import Cut
from oyster_jax.worlds.errors import StoryError
from oyster_jax.worlds.rehearsal import rehearse
from oyster_jax.worlds.story import parsed, read_story
from oyster_jax.worlds.world import World
from tests.worlds.test_directing import HEARING, WORLD

STORY = """
world = "tiny"
seed = 4
[[act]]
label = "begins"
do = "right*3,jump"
[[act]]
do = "sticky"
ticks = 9
when = { tick = 4 }
until = { near = 2, within = 1.5, reward = 0.5 }
[[act.branch]]
name = "up"
[[act.branch.act]]
do = "jump*2"
[[act.branch]]
name = "down"
[[act.branch.act]]
do = "down"
ticks = 20
"""


def test_a_story_is_read(tmp_path):
    path = tmp_path / "story.toml"
    path.write_text(STORY)
    story = read_story(path)
    first, second = story.acts
    assert (story.world, story.seed, story.begin, story.ticks) == ("tiny", 4, None, 4 + 9 + 20)
    assert (first.do, first.ticks, first.label, first.branches) == ("right*3,jump", 4, "begins", {})
    assert second.when == Condition(tick=4)
    assert second.until == Condition(near=2, within=1.5, reward=0.5)
    assert {name: [act.ticks for act in acts] for name, acts in second.branches.items()} == {"up": [2], "down": [20]}
    assert [branch for branch, _ in story.turns] == ["main", "main", "up", "down"]
    assert story.leaves == ("up", "down")


HAPPENS = """
world = "meadow"
prompt = "grass and a cow"
[[act]]
event = "it gets wet"
edit = { set = { wood = 3 }, add = [{ type = "cow", x = 1, y = 0 }] }
when = { near = "wolf", within = 2, has = { wood = 1 }, below = { health = 4.5 } }
[[act]]
do = "go*3"
event = "snow"
"""


def test_a_story_makes_things_happen(tmp_path):
    story = parsed(HAPPENS)
    first, second = story.acts
    assert (story.prompt, story.ticks) == ("grass and a cow", 3)
    edit = {"set": {"wood": 3}, "add": [{"type": "cow", "x": 1, "y": 0}]}
    assert first.interventions == [("edit", edit), ("event", "it gets wet")]
    assert first.when == Condition(near="wolf", within=2, has={"wood": 1}, below={"health": 4.5})
    assert (first.ticks, second.ticks, second.interventions) == (0, 3, [("event", "snow")])
    rehearse(story, HEARING)
    (tmp_path / "told.toml").write_text(HAPPENS.replace('prompt = "grass and a cow"', 'image = "grass.png"'))
    assert read_story(tmp_path / "told.toml").image == str(tmp_path / "grass.png")


def test_a_story_cuts_to_other_beginnings(tmp_path):
    text = HAPPENS.replace('event = "snow"', 'event = "snow"\ncut = { image = "grass.png", seed = 3 }')
    text += '[[act]]\ncut = { entities = { tiles = "grass" } }\n[[act]]\ncut = { prompt = "grass" }\ndo = "go"\n'
    (tmp_path / "told.toml").write_text(text)
    story = read_story(tmp_path / "told.toml")
    assert story.acts[1].interventions == [("cut", Cut(image=str(tmp_path / "grass.png"), seed=3)), ("event", "snow")]
    assert story.acts[2].interventions == [("cut", Cut(entities={"tiles": "grass"}))]
    assert [act.ticks for act in story.acts] == [0, 3, 0, 1]
    assert story.acts[2].sentence == "a cut to what is described"
    assert story.acts[3].sentence == "a cut to grass, go"


SAID = {
    "reward": np.array(0.4, np.float32), "terminal": np.array(0.9, np.float32),
    "entities": np.array([[0, 0, 0, 0, 0], [2, 2.5, -1, 0, 0], [5, 0.5, 0, 0, 0]], np.float32),
    "entity_mask": np.array([0.9, 0.8, 0.2], np.float32),
}  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"tick": 7}, True),
        ({"tick": 8}, False),
        ({"reward": 0.4}, True),
        ({"reward": 0.5}, False),
        ({"terminal": True}, True),
        ({"near": 2}, True),
        ({"near": 2, "within": 2.0}, False),
        # Too unlikely to be there.
        ({"near": 5}, False),
        ({"near": 2, "tick": 8}, False),
    ],
)
def test_conditions_ask_tick_heads_and_entities(condition, holds):
    assert Condition(**condition).holds(7, SAID, {}) is holds


TOLD = {
    "entities": [{"type": "cow", "x": 2, "y": -1}, {"type": "wolf", "x": -1, "y": 3}],
    "quantities": {"wood": 2.0, "health": 4.0},
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"near": "cow", "within": 2}, True),
        ({"near": "cow", "within": 1}, False),
        ({"near": "wolf"}, True),
        ({"near": "agent"}, False),
        ({"has": {"wood": 2}}, True),
        ({"has": {"wood": 2, "health": 5}}, False),
        ({"below": {"health": 4}}, False),
        ({"below": {"health": 4.5}, "near": "cow", "tick": 7}, True),
    ],
)
def test_conditions_ask_what_there_is_by_its_name(condition, holds):
    assert Condition(**condition).holds(7, SAID, TOLD) is holds


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('world = "tiny"', "", "the story lacks 'world'"),
        ("seed = 4", "seed = -1", "from 0 to"),
        ("seed = 4", "sead = 4", "'sead', which nothing is called; it may have world, seed"),
        ("seed = 4", "seed = true", "'seed' of the story cannot be True"),
        ("seed = 4", "seed = [", "no TOML"),
        ("[[act]]", "[[scene]]", "'scene', which nothing is called"),
        ("ticks = 9", "", "act 2 does not say how long 'sticky' acts"),
        ("ticks = 9", "ticks = 0", "from 1 to"),
        ("right*3", "right*x", "not an action with a count"),
        ("{ tick = 4 }", "{ within = 2.0 }", "asks for nothing"),
        ("{ tick = 4 }", '"soon"', "cannot be 'soon'"),
        ("{ tick = 4 }", '{ has = { wood = "much" } }', "'wood' of has of when of act 2 cannot be 'much'"),
        ("seed = 4", 'begin = "here"\nprompt = "grass"', "begin and prompt all say where"),
        ('do = "sticky"', "", "act 2 does nothing; give it do, cut, event or edit"),
        ('do = "sticky"', 'event = "rain"', "act 2 has ticks but no do"),
        ('do = "sticky"', "event = 3", "'event' of act 2 cannot be 3"),
        ('do = "sticky"', 'do = "sticky"\ncut = "there"', "'cut' of act 2 cannot be 'there'"),
        (
            'do = "sticky"',
            'do = "sticky"\ncut = { to = "there" }',
            "cut of act 2 has 'to', .*; it may have seed, begin",
        ),
        ('do = "sticky"', 'do = "sticky"\ncut = { seed = -1 }', "The seed of cut of act 2 lies from 0"),
        (
            'do = "sticky"',
            'do = "sticky"\ncut = { begin = "here", prompt = "grass" }',
            "begin and prompt all say where the cut of act 2 goes",
        ),
        ('name = "down"', 'name = "up"', "no other has it"),
        ('name = "down"', 'name = "main"', "no other has it"),
        ('name = "down"', 'name = "../x"', "letters, digits"),
        ('[[act]]\ndo = "sticky"', '[[act.branch]]\nname = "x"\n[[act.branch.act]]\ndo = "sticky"', "forks"),
    ],
)
def test_what_is_no_story_is_told_in_a_sentence(old, new, sentence, tmp_path):
    path = tmp_path / "story.toml"
    text = STORY.replace(old, new, 1)
    if sentence == "forks":
        text += '[[act]]\ndo = "noop"\n'
    assert text != STORY
    path.write_text(text)
    with pytest.raises(StoryError, match=sentence) as told:
        read_story(path)
    assert str(path) in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StoryError, match="cannot be read"):
        read_story(tmp_path / "nowhere.toml")


CUTS = 'world = "tiny"\n[[act]]\ncut = {{ {} }}\n'
PLAIN = World(model=tiny_model(), params=tiny_params(), record={"name": "tiny"})


@pytest.mark.parametrize(
    ("world", "story", "sentence"),
    [
        (PLAIN, STORY.replace("jump*2", "fly*2"), "Act 3 of the story, on 'up': .*no action 'fly'"),
        (PLAIN, STORY.replace("{ tick = 4 }", '{ near = "wolf" }'), "Act 2 of the story, on 'main': .*frames only"),
        (PLAIN, STORY.replace("{ tick = 4 }", "{ has = { wood = 1 } }"), "knows frames only"),
        (PLAIN, STORY.replace("ticks = 9", 'ticks = 9\nevent = "rain"'), "knows no events"),
        (PLAIN, STORY.replace("ticks = 9", "ticks = 9\nedit = { set = {} }"), "cannot be edited"),
        (PLAIN, CUTS.format('begin = "1-here"'), "Act 1 .*tiny comes with no moment '1-here'; it has none"),
        (PLAIN, CUTS.format('prompt = "a cave"'), "has learned no words"),
        (PLAIN, CUTS.format('entities = { tiles = "grass" }'), "cannot begin from entities"),
        (PLAIN, CUTS.format('image = "nowhere.png"'), "nowhere.png cannot be read"),
        (HEARING, CUTS.format('prompt = "hail"'), r"'hail' is refused \(vocabulary\): .*no word that this world knows"),
        (WORLD, HAPPENS, "There is no event 'it gets wet' in this world; it knows rain, snow"),
        (HEARING, HAPPENS.replace("it gets wet", "hail"), "no word that this world knows"),
        (HEARING, HAPPENS.replace('"wolf"', '"bear"'), "no entity 'bear' in this world; it has cow, wolf"),
        (HEARING, HAPPENS.replace('"wolf"', "2"), "read no entities; name what is to be near"),
        (HEARING, HAPPENS.replace("has = { wood", "has = { gold"), "no quantity 'gold'; it has health, wood, light"),
        (HEARING, HAPPENS.replace("wood = 3", "wood = 6"), "wood lies between 0 and 5, but was 6"),
    ],
)  # fmt: skip
def test_what_a_world_cannot_do_is_told_before_anything_is_lived(world, story, sentence):
    with pytest.raises(StoryError, match=sentence):
        rehearse(parsed(story), world)
