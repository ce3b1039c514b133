"""A world learns words from its recording: what is said comes true, and what is not understood is told."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from oyster_jax.cli.errors import UsageError
from oyster_jax.cli.main import main as cli
from oyster_jax.cli.rollout import Config, main
from oyster_jax.core.facts import holds
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.pictures import fitted
from oyster_jax.evaluate.prompts import lexicon_of, prompt_figures, request_figures
from oyster_jax.session.archive import Archive
from oyster_jax.session.export import Span, export
from oyster_jax.session.replayer import Replayer
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.storage import read_world, save_world
from oyster_jax.worlds.structure import parse
from oyster_jax.worlds.words import Scene, Understanding
from oyster_jax.worlds.words_storage import read_words, save_words
from oyster_jax.worlds.world import World
from tests.data.meadow_words import FACTS, LEXICON, learned, recording
from tests.models.structured import SPEC, TOKENIZER, network, shaken

RECORD = {"name": "meadow", "licence": "", "training": {}, "figures": {}}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("meadow")


@pytest.fixture(scope="module")
def dataset(place):
    return recording(place / "recording")


@pytest.fixture(scope="module")
def trained(place, dataset):
    return learned(dataset, place / "run")


@pytest.fixture(scope="module")
def world(place, trained):
    model = network()
    save_world(place / "world", model, shaken(model.init(jax.random.key(0))), RECORD)
    save_words(place / "world", trained)
    return read_world(place / "world")


def names(facts):
    return {fact.name for fact in facts}


def test_what_is_said_is_understood_and_comes_true(world):
    scene = world.imagine("a cow, dark and much wood", 3)
    assert names(scene.understood.facts) == {"cow_here", "dark", "rich"}
    assert not scene.remarks
    assert holds(SPEC, FACTS, scene.moments)[0][[2, 3, 4]].all()
    again = world.imagine("a cow, dark and much wood", 3)
    assert again.document == scene.document
    assert world.imagine("a cow, dark and much wood", 4).document != scene.document
    np.testing.assert_array_equal(parse(SPEC, scene.document).tiles, scene.moments.tiles[0])


def test_a_living_world_begins_from_a_sentence(world):
    state = world.reset(3, prompt="stone to the left")
    document = world.imagine("stone to the left", 3).document
    np.testing.assert_array_equal(world.render(state), world.render(world.encode(entities=document, seed=3)))
    assert world.render(world.step(state, "go")).shape == (8, 8, 3)
    with pytest.warns(UserWarning, match="Not understood: 'dragon'"):
        world.reset(3, prompt="a cow and a dragon")


def test_what_is_not_understood_is_told(world):
    assert world.words.unknown("a cow, a dragon and stnoe on the left") == ("dragon",)
    with pytest.raises(WorldError, match="no word that this world knows"):
        world.imagine("xyzzy")
    with pytest.raises(WorldError, match="says nothing that this world knows; say which of stone"):
        world.words.understand("xyzzy")
    with pytest.raises(WorldError, match="holds a word that is not accepted"):
        world.imagine("a naked cow")


def test_what_cannot_be_is_told(world):
    moment, kept = world.words.best([[0, 1, 2, 3, 4]], seed=1)
    np.testing.assert_array_equal(kept[0], holds(SPEC, FACTS, moment)[0])
    understood = Understanding(text="stone and a cow", facts=FACTS[:3], unknown=())
    scene = Scene(understood=understood, moments=moment, missing=FACTS[1:2], document={})
    assert scene.remarks == ("Not everything could be had at once; missing: stone to the left.",)


def test_events_are_understood_or_refused(world):
    understand = world.words.understand_event
    assert understand("night_falls") == "night_falls"
    assert understand("Night falls.") == "night_falls"
    assert understand("kill the cow") == "cow_dies"
    with pytest.raises(WorldError, match="no event that this world knows; it knows night_falls, cow_dies"):
        understand("")


def test_words_are_kept(place, world):
    kept = read_words(place / "world", SPEC)
    sentences = ["a cow", "rocks in the west"]
    np.testing.assert_array_equal(kept.probabilities(sentences), world.words.probabilities(sentences))
    np.testing.assert_allclose(kept.probabilities(sentences[:1]), kept.probabilities(sentences)[:1], atol=1e-5)
    assert kept.events == ("night_falls", "cow_dies")


def test_figures(dataset, world):
    found = prompt_figures(world.words, LEXICON, dataset, prompts=8, sight=(TOKENIZER, world.params["tokenizer"]))
    for figures in found.values():
        assert 0 < figures.prompts <= 8
        assert figures.scene.value >= figures.first.value - 0.05
        assert figures.frame is not None
    assert found["known"].understood.value > 0.9
    assert found["known"].scene.value > found["known"].unprompted.value
    events = request_figures(world.words, LEXICON, sentences=3)
    assert events.known > 0.9
    with pytest.raises(DatasetError, match="Recordings of tests:meadow have no words"):
        lexicon_of(dataset)


def test_damaged_words_are_refused(place, trained, tmp_path):
    save_words(tmp_path, trained)
    for file, change, sentence in (
        ("words.safetensors", lambda data: data[:-1] + bytes([data[-1] ^ 1]), r"sha256 of .*words\.safetensors"),
        ("words.json", lambda data: data.replace(b'"schema_version": 1', b'"schema_version": 2'), "version 2"),
        ("words.json", lambda data: b"{", "cannot be used"),
    ):
        whole = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(change(whole))
        with pytest.raises(WorldError, match=sentence):
            read_words(tmp_path, SPEC)
        (tmp_path / file).write_bytes(whole)
    record = json.loads((tmp_path / "words.json").read_text())
    record["scene"]["features"] = 32
    (tmp_path / "words.json").write_text(json.dumps(record))
    with pytest.raises(WorldError, match="weights of another network"):
        read_words(tmp_path, SPEC)


def test_a_world_without_words_says_so():
    plain = World(model=tiny_model(), params=tiny_params(), record={"name": "tiny"})
    with pytest.raises(WorldError, match="'tiny' has learned no words"):
        plain.reset(prompt="a cow")


def test_a_clip_begins_from_a_sentence(place, world, tmp_path, capsys):
    out = tmp_path / "clip.npz"
    assert main(Config(world=str(place / "world"), actions="go*2", prompt="a cow and a dragon", out=out)) == 0
    told = capsys.readouterr().out
    assert "Understood: a cow." in told
    assert "Not understood: 'dragon'" in told
    with np.load(out) as clip:
        scene = world.imagine("a cow and a dragon", 0)
        np.testing.assert_array_equal(clip["before"][0], world.render(world.encode(entities=scene.document)))
    with pytest.raises(UsageError, match="no word that this world knows"):
        main(Config(world=str(place / "world"), prompt="xyzzy", out=out))
    with pytest.raises(UsageError, match="--prompt-dir and --prompt both say where"):
        main(Config(world=str(place / "world"), prompt="a cow", prompt_dir=tmp_path, out=out))


def test_a_session_begins_from_a_sentence_and_a_clip_of_it_says_so(world, tmp_path):
    with world.session(tmp_path / "s", seed=3, prompt="stone to the left") as session:
        np.testing.assert_array_equal(session.frame, world.render(world.reset(3, prompt="stone to the left")))
        session.step("go")
    replayer = Replayer(world, Archive(tmp_path / "s", write=False))
    span = Span(branch="main", start=0, stop=1)
    export(replayer, span, tmp_path / "s.npz", actions=SPEC.action, rate=10.0)
    with np.load(tmp_path / "s.npz") as clip:
        assert json.loads(str(clip["about"]))["sentence"] == "stone to the left"
    with pytest.raises(WorldError, match="no word that this world knows"):
        world.session(tmp_path / "other", prompt="xyzzy")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        ('prompt = "a cow and a dragon"', "Understood: a cow.\nNot understood: 'dragon'"),
        ('image = "grass.png"', "It can show this picture with"),
        ('entities = "scene.json"', "2 ways through"),
    ],
)
def test_a_story_begins_from_words_pictures_and_descriptions(place, world, begins, said, tmp_path, capsys):
    Image.new("RGB", (30, 20), (40, 160, 40)).save(tmp_path / "grass.png")
    (tmp_path / "scene.json").write_text('{"tiles": "stone"}')
    fork = '[[act.branch]]\nname = "NAME"\n[[act.branch.act]]\ndo = "go"\n'
    acts = (
        '[[act]]\ndo = "go*2"\nuntil = { has = { wood = 9 } }\n' + fork.replace("NAME", "a") + fork.replace("NAME", "b")
    )
    (tmp_path / "told.toml").write_text(f'world = "{place / "world"}"\nseed = 3\n{begins}\n{acts}')
    command = ["direct", str(tmp_path / "told.toml"), "--out", str(tmp_path / "out")]
    assert cli(command) == 0
    assert said in capsys.readouterr().out
    with Session.open(tmp_path / "out" / "session", world) as session:
        begun = session.seek(0)
    states = {
        "prompt": lambda: world.encode(entities=world.imagine("a cow and a dragon", 3).document, seed=3),
        "image": lambda: world.encode(fitted((tmp_path / "grass.png").read_bytes(), 8, 8)[None], (), 3),
        "entities": lambda: world.encode(entities={"tiles": "stone"}, seed=3),
    }
    np.testing.assert_array_equal(begun, world.render(states[begins.split()[0]]()))
    assert cli(command) == 0
