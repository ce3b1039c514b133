"""`tools/ablate`: variants differ in what they say they do, and what was found of them is a table."""

import json

import pytest

from tests.tools import modules


@pytest.fixture(scope="module")
def tool():
    return modules.tool("ablate")


@pytest.fixture(scope="module")
def variants(tool):
    return tool.load_config(tool.Config().config)


def test_every_variant_is_an_experiment_of_its_own(variants):
    made = {name: variants.get_config(name) for name in variants.VARIANTS}
    assert len({(one.dynamics, one.dynamics_loss) for one in made.values()}) == len(made) - 2
    assert len({(one.recording, one.tokenizer_training, one.dynamics_training) for one in made.values()}) == 1
    # A tokenizer of its own, and one that learns with patches hidden, have the dynamics of the plain one.
    own = {name: one for name, one in made.items() if variants.VARIANTS[name].tokenizer is not None}
    assert len({(one.tokenizer, one.tokenizer_loss) for one in own.values()}) == len(own)
    assert len({(one.tokenizer, one.tokenizer_loss) for name, one in made.items() if name not in own}) == 1
    for one in made.values():
        assert one.network.dynamics == one.dynamics  # its parts fit together
    with pytest.raises(ValueError, match="no variant 'none'"):
        variants.get_config("none")


def test_what_was_found_is_a_table(tool, tmp_path, capsys):
    for number, name in enumerate(("plain", "ramp")):
        (tmp_path / name).mkdir()
        psnr = {"1": [20.0 + number, 15.0, 12.0], "4": [19.0, 14.5, 11.0]}
        result = {"psnr": psnr, "copy_last": [14.0, 10.0, 9.0], "parameters": 1_900_000, "updates": 400 - number}
        result |= {"ceiling": 41.0, "asked": tool._asked(tool.Config())}
        (tmp_path / name / "result.json").write_text(json.dumps(result))
    assert tool.main(tool.Config(out=tmp_path, print=True)) == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert rows == [
        "| plain | 1.90M | 400 | 20.00, 15.00, 12.00 | 19.00, 14.50, 11.00 | 41.00 |",
        "| ramp | 1.90M | 399 | 21.00, 15.00, 12.00 | 19.00, 14.50, 11.00 | 41.00 |",
        "| the last frame, copied | | | 14.00, 10.00, 9.00 | | |",
    ]
    with pytest.raises(SystemExit, match="no variant 'none'"):
        tool.main(tool.Config(out=tmp_path, print=True, only=("none",)))
    with pytest.raises(SystemExit, match=r"'updates': 400.* cannot be compared with .*'updates': 250"):
        tool.main(tool.Config(out=tmp_path, print=True, updates=250))
    with pytest.raises(SystemExit, match=r"Nothing has been found in .* yet"):
        tool.main(tool.Config(out=tmp_path / "none", print=True))
    with pytest.raises(SystemExit, match="has no VARIANTS"):
        tool.main(tool.Config(config=tool.ROOT / "configs" / "coinrun_nano.py", out=tmp_path, print=True))
