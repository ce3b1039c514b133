import pytest

from oyster_jax.session.errors import SessionError
from oyster_jax.session.log import NAMES, Entry, Log, read_log

ENTRIES = tuple(Entry(kind=index % 2 + 1, payload=bytes([index]) * (index + 1)) for index in range(20))


def written(folder, entries=ENTRIES, identity="one"):
    log = Log(folder, identity)
    log.append(list(entries[:7]))
    log.append(list(entries[7:]))
    return folder


def test_what_was_appended_is_read_again_and_gone_on_with(tmp_path):
    written(tmp_path)
    found = read_log(tmp_path, "one")
    assert found.entries == ENTRIES
    assert found.damaged == ()
    Log(tmp_path, "one").append([Entry(kind=9, payload=b"later")])
    assert read_log(tmp_path, "one").entries == (*ENTRIES, Entry(kind=9, payload=b"later"))
    assert (tmp_path / NAMES[0]).read_bytes() == (tmp_path / NAMES[1]).read_bytes()


def test_a_log_without_files_is_empty(tmp_path):
    assert read_log(tmp_path, "one").entries == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_flipped_byte_of_one_file_is_mended_from_the_other(tmp_path, name):
    path = written(tmp_path) / name
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        found = read_log(tmp_path, "one")
        assert found.entries == ENTRIES
        assert found.damaged == (name,)
    Log(tmp_path, "one")
    assert path.read_bytes() == whole


def test_every_length_that_a_crash_leaves_is_mended(tmp_path):
    written(tmp_path)
    first, second = (tmp_path / name for name in NAMES)
    whole = first.read_bytes()
    for length in range(len(whole)):
        first.write_bytes(whole)
        second.write_bytes(whole[:length])
        assert read_log(tmp_path, "one").entries == ENTRIES
        first.write_bytes(whole[:length])
        torn = read_log(tmp_path, "one")
        assert torn.entries == ENTRIES[: len(torn.entries)]
        Log(tmp_path, "one", torn).append([ENTRIES[0]])
        assert read_log(tmp_path, "one").entries == (*torn.entries, ENTRIES[0])


def test_different_places_lost_in_both_files_are_put_together(tmp_path):
    written(tmp_path)
    first, second = (tmp_path / name for name in NAMES)
    whole = bytearray(first.read_bytes())
    early, late = bytearray(whole), bytearray(whole)
    early[12] ^= 1
    late[-30] ^= 1
    first.write_bytes(early)
    second.write_bytes(late)
    assert read_log(tmp_path, "one").entries == ENTRIES
    Log(tmp_path, "one")
    assert first.read_bytes() == second.read_bytes() == whole


def test_entries_of_another_log_or_in_another_order_are_not_accepted(tmp_path):
    (tmp_path / "a").mkdir()
    written(tmp_path / "a")
    assert read_log(tmp_path / "a", "two").entries == ()
    for name in NAMES:
        path = tmp_path / "a" / name
        path.write_bytes(path.read_bytes()[8:16] + path.read_bytes())
    assert read_log(tmp_path / "a", "one").entries == ()


def test_what_the_disk_refuses_can_be_given_again(tmp_path):
    log = Log(written(tmp_path), "one")
    (tmp_path / NAMES[1]).unlink()
    (tmp_path / NAMES[1]).mkdir()
    with pytest.raises(IsADirectoryError):
        log.append([ENTRIES[3]])
    (tmp_path / NAMES[1]).rmdir()
    log.append([ENTRIES[3]])
    assert read_log(tmp_path, "one").entries == (*ENTRIES, ENTRIES[3])


def test_an_entry_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(SessionError, match="65,535"):
        Log(tmp_path, "one").append([Entry(kind=1, payload=bytes(70_000))])


def test_a_crash_is_told_from_damage(tmp_path):
    """A crash leaves one file that ends with an entry; more than one damage may not."""
    written(tmp_path)
    first, second = (tmp_path / name for name in NAMES)
    whole = first.read_bytes()
    for length in range(len(whole)):
        first.write_bytes(whole[:length])
        read = read_log(tmp_path, "one")
        assert not read.broken
        second.write_bytes(whole[: len(whole) // 2])
        assert not read_log(tmp_path, "one").broken
        second.write_bytes(whole)
    damaged = bytearray(whole)
    damaged[40] ^= 1
    for content in (bytes(damaged), whole[:40], None):
        first.write_bytes(damaged)
        second.unlink() if content is None else second.write_bytes(content)
        assert read_log(tmp_path, "one").broken


def test_a_full_disk_is_mended_on_later(tmp_path):
    written(tmp_path)
    (tmp_path / NAMES[1]).unlink()
    content = read_log(tmp_path, "one")
    (tmp_path / NAMES[1]).mkdir()
    log = Log(tmp_path, "one", content)
    (tmp_path / NAMES[1]).rmdir()
    log.append([ENTRIES[3]])
    assert (tmp_path / NAMES[0]).read_bytes() == (tmp_path / NAMES[1]).read_bytes()
