import pytest

from oyster_jax.session.document import copies, read_document, write_document
from oyster_jax.session.errors import SessionError

CONTENT = {"seed": 3, "parts": [1, 2.5, None, "é"]}


def test_a_document_is_read_as_it_was_written(tmp_path):
    write_document(tmp_path, "manifest", CONTENT, revision=4)
    found = read_document(tmp_path, "manifest")
    assert (found.content, found.revision, found.damaged) == (CONTENT, 4, ())


@pytest.mark.parametrize("copy", copies("manifest"))
def test_every_flipped_byte_of_one_copy_is_noticed(tmp_path, copy):
    write_document(tmp_path, "manifest", CONTENT)
    whole = (tmp_path / copy).read_bytes()
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :]
        (tmp_path / copy).write_bytes(changed)
        found = read_document(tmp_path, "manifest")
        assert found.content == CONTENT
        # White space between the parts of JSON may change without changing what it says.
        assert found.damaged == (copy,) or whole[place : place + 1].isspace()


def test_the_newer_copy_wins(tmp_path):
    write_document(tmp_path, "manifest", CONTENT, revision=1)
    old = (tmp_path / copies("manifest")[0]).read_bytes()
    write_document(tmp_path, "manifest", CONTENT | {"seed": 5}, revision=2)
    (tmp_path / copies("manifest")[0]).write_bytes(old)
    found = read_document(tmp_path, "manifest")
    assert found.content["seed"] == 5
    assert found.damaged == (copies("manifest")[0],)


def test_two_damaged_copies_are_refused_by_name(tmp_path):
    for copy in copies("manifest"):
        (tmp_path / copy).write_text("{")
    with pytest.raises(SessionError, match=r"manifest\.copy\.json"):
        read_document(tmp_path, "manifest")


def test_a_document_of_another_identity_is_none(tmp_path):
    write_document(tmp_path, "branch", CONTENT, identity="one")
    assert read_document(tmp_path, "branch", identity="one").content == CONTENT
    with pytest.raises(SessionError):
        read_document(tmp_path, "branch", identity="other")
