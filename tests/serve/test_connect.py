"""`oyster connect` on a real server."""

import re

import pytest

from oyster_jax.cli.main import main


def test_without_a_terminal_it_measures_what_one_gets(served, client, capsys):
    url = f"http://127.0.0.1:{served.port}"
    assert main(["connect", url, "--seed", "4", "--seconds", "1.5"]) == 0
    out = capsys.readouterr().out
    session = re.search(r"Session ([0-9a-f]{16}) of tiny at http://127.0.0.1:\d+", out)
    assert session is not None
    assert re.search(r"[\d.]+ frames a second over [\d.]+ s; [\d.]+ ms a tick", out)
    before = client.session(session[1])
    assert before["start"] == "seed 4"
    assert before["ticks"] > 3
    # The page's share link leads to the same session.
    assert main(["connect", f"{url}/#session={session[1]}", "--seconds", "1"]) == 0
    assert client.session(session[1])["ticks"] > before["ticks"]
    assert len([one for one in client.sessions() if one["id"] == session[1]]) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nonsense"], "begins with http://"),
        (["http://127.0.0.1:9"], "No server answers"),
        (["{url}", "--session", "0123456789abcdef"], "no such session"),
        (["{url}", "--watch"], "--session"),
    ],
)
def test_mistakes_end_in_one_sentence(served, arguments, named, capsys):
    url = f"http://127.0.0.1:{served.port}"
    assert main(["connect", *(argument.format(url=url) for argument in arguments)]) == 2
    assert named in capsys.readouterr().err
