import json

import pytest

from oyster_jax.data.errors import DatasetError
from tests.data.importers.foreign import differ, imported, pictures, plan, video

NAMES = ["noop", "right", "right+jump", "right", "noop", "left", "left", "noop", "right", "jump"]


def _jsonl(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def clips(tmp_path):
    """Two clips, one of each kind, one with a picture more than actions."""
    folder = tmp_path / "clips"
    folder.mkdir()
    video(folder / "a.mp4", pictures(0, 10))
    _jsonl(folder / "a.jsonl", NAMES)
    video(folder / "b.webm", pictures(1, 11), codec="libvpx-vp9")
    _jsonl(folder / "b.jsonl", [{"action": name, "reward": 0.5, "terminal": False} for name in NAMES])
    return folder


def _alone(clips):
    for path in clips.glob("b.*"):
        path.unlink()


def test_clips_come_back_with_their_actions(clips, tmp_path):
    data = imported(clips, tmp_path / "out")
    spec = data.manifest.spec
    assert (spec.frame.shape, spec.frame.rate) == ((48, 64, 3), 10.0)
    assert data.lengths.tolist() == [10, 10]
    for index, episode in enumerate(data):
        # What videos lose is small; a picture of the next tick or of the other clip is far off.
        assert differ(episode.frames, pictures(index, 10)) < 1.5
        assert [spec.action.names[action] for action in episode.actions] == NAMES
    assert data[1].rewards.tolist() == [0.5] * 10


@pytest.mark.parametrize(
    ("text", "names", "ids"),
    [
        (
            "action\n" + "\n".join(NAMES),
            ("jump", "left", "noop", "right", "right+jump"),
            [2, 3, 4, 3, 2, 1, 1, 2, 3, 0],
        ),
        (
            "tick,action,done\n" + "".join(f"{i},{i % 2},{int(i == 9)}\n" for i in range(10)),
            ("action0", "action1"),
            None,
        ),
        ("left, right\n" + "0,1\n1,0\n" * 5, ("right", "left"), [0, 1] * 5),
        ("time,throttle\n" + "".join(f"{i},{i / 9 - 0.5:.3f}\n" for i in range(10)), ("noop", "left", "right"), None),
    ],
    ids=["names", "numbers", "buttons", "continuous"],
)
def test_tables_of_commas_are_read(text, names, ids, clips, tmp_path):
    _alone(clips)
    (clips / "a.jsonl").unlink()
    (clips / "a.csv").write_text(text)
    data = imported(clips, tmp_path / "out")
    assert data.manifest.spec.action.names == names
    assert ids is None or data[0].actions.tolist() == ids
    assert data[0].terminals[-1] == ("done" in text)


def test_actions_may_be_unknown(clips, tmp_path):
    _alone(clips)
    _jsonl(clips / "a.jsonl", [None, *NAMES[1:]])
    assert imported(clips, tmp_path / "out")[0].actions.tolist()[:2] == [-1, 3]


def test_an_exported_session_is_read(clips):
    _alone(clips)
    ticks = [{"tick": i + 1, "branch": "main", "action": i, "name": name, "lived": 0} for i, name in enumerate(NAMES)]
    _jsonl(clips / "a.jsonl", [*ticks, {"branch": "main", "kind": "label", "text": "here"}])
    assert plan(clips).spec.action.names == ("jump", "left", "noop", "right", "right+jump")


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _scratched(path):
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + 1000
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda clips: _cut(clips / "a.mp4"), "cannot be read as a video"),
        (lambda clips: _scratched(clips / "a.mp4"), "cannot be read as a video"),
        (lambda clips: _cut(clips / "b.webm"), "cannot be read as a video|frames, but 10 actions"),
        (lambda clips: (clips / "a.mp4").write_bytes(b"no video"), "cannot be read as a video"),
        (lambda clips: (clips / "a.jsonl").unlink(), "a.jsonl or a.csv should be beside it"),
        (lambda clips: (clips / "b.webm").unlink(), "b.mp4 or b.webm should be beside it"),
        (lambda clips: _jsonl(clips / "a.jsonl", NAMES[:5]), "a.mp4 has 10 frames, but 5 actions"),
        (lambda clips: _jsonl(clips / "b.jsonl", [*NAMES, *NAMES]), "b.webm has 11 frames, but 20 actions"),
        (lambda clips: _jsonl(clips / "b.jsonl", []), "b.webm has no actions"),
        (lambda clips: _jsonl(clips / "a.jsonl", [0, 1] * 5), "mixes names of actions with numbers"),
        (lambda clips: (clips / "a.jsonl").write_text("{"), "Line 1 of .*a.jsonl is no JSON"),
        (lambda clips: (clips / "a.jsonl").write_bytes(b"\xff\xfe\x00"), "is no text"),
    ],
)
def test_damage_is_told_in_a_sentence_and_nothing_is_left(damage, sentence, clips, tmp_path):
    damage(clips)
    with pytest.raises(DatasetError, match=sentence):
        imported(clips, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["clips"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("reward\n1\n", "has no column 'action'"),
        ("", "has no column 'action'"),
        ("left,right\n1\n", "Line 2 of .* another number of columns"),
        ("left,right\n1,2,3\n", "Line 2 of .* another number of columns"),
        ("left,right\n1,x\n", "'x' in line 2 of .* is no number"),
    ],
)
def test_a_damaged_table_is_told_in_a_sentence(text, sentence, clips, tmp_path):
    _alone(clips)
    (clips / "a.jsonl").unlink()
    (clips / "a.csv").write_text(text)
    with pytest.raises(DatasetError, match=sentence):
        imported(clips, tmp_path / "out")


def test_an_empty_folder_is_in_no_format(tmp_path):
    with pytest.raises(DatasetError, match="is in no format that can be imported"):
        plan(tmp_path)
    with pytest.raises(DatasetError, match="There is no"):
        plan(tmp_path / "nowhere")
