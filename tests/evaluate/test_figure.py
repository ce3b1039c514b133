import json

import numpy as np
import pytest

from oyster_jax.evaluate import figure


def test_lines_come_back_and_are_compared(tmp_path):
    def made(name, value):
        return figure.Figure(name=name, value=value, unit="ms", spread=(1.0, 2.0), conditions={"world": "toy"})

    about = figure.surroundings()
    lines = [figure.as_line(made(*given), about) for given in (("a", 2.0), ("b", 3.0))]
    assert {"name", "value", "unit", "spread", "machine", "versions"} <= json.loads(lines[0]).keys()
    (tmp_path / "before").write_text("\n".join(lines))
    (tmp_path / "after").write_text(figure.as_line(made("b", 6.0), about) + "\n")
    before, after = (figure.read_lines(tmp_path / name) for name in ("before", "after"))
    assert [(old.name, ratio) for old, _, ratio in figure.compare(before, after)] == [("b", 2.0)]


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "lines"
    path.write_text('{"name": "a"}\n')
    with pytest.raises(ValueError, match=r"Line 1 of .* is not a figure"):
        figure.read_lines(path)


def test_a_median_comes_with_its_spread():
    made = figure.median_figure("a", np.arange(101.0), "s", {})
    assert (made.value, made.spread) == (50, (10, 90))
