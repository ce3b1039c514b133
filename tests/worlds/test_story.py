"""What may stand in the file of a story, and what is said of everything else."""

import numpy as np
import pytest

from oyster_jax.testing import tiny_model
from oyster_jax.worlds.errors import StoryError
from oyster_jax.worlds.story import Condition, check_actions, parsed, read_story

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
    check_actions(story, tiny_model().spec.action)


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
    assert Condition(**condition).holds(7, SAID) is holds


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


def test_a_file_that_is_not_there_and_actions_that_a_world_lacks_are_told(tmp_path):
    with pytest.raises(StoryError, match="cannot be read"):
        read_story(tmp_path / "nowhere.toml")
    with pytest.raises(StoryError, match="no action 'fly'"):
        check_actions(parsed(STORY.replace("jump*2", "fly*2")), tiny_model().spec.action)
