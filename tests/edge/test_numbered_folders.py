import pytest

from edge.errors import Refused
from edge.numbered_folders import clear, numbers, place, point, read_once, remove

LIMITS = {"a": 4}


def refused(_):
    raise Refused("not right")


def test_a_folder_is_placed_whole_or_not_at_all(tmp_path):
    place(tmp_path, 2, {"a": b"1234"}, limits=LIMITS, check=lambda staged: None)
    for content, check in ((b"12345", lambda staged: None), (b"1", refused)):
        with pytest.raises(Refused):
            place(tmp_path, 3, {"a": content}, limits=LIMITS, check=check)
    assert [each.name for each in tmp_path.iterdir()] == ["2"]
    assert (tmp_path / "2" / "a").read_bytes() == b"1234"
    with pytest.raises(OSError, match="not empty"):
        place(tmp_path, 2, {"a": b"5"}, limits=LIMITS, check=lambda staged: None)
    place(tmp_path, 2, {"a": b"5"}, limits=LIMITS, check=lambda staged: None, replaces=True)
    assert (tmp_path / "2" / "a").read_bytes() == b"5" and numbers(tmp_path) == [2]


def test_only_our_temporary_names_are_cleared(tmp_path):
    ours = (".7.0123456789abcdef.new", ".current.0123456789abcdef.new")
    others = (".notes.0123456789abcdef.new", ".7.new", "7", "\u0667")
    for name in (*ours, *others):
        (tmp_path / name).mkdir()
    clear(tmp_path, "current")
    assert {each.name for each in tmp_path.iterdir()} == set(others) and numbers(tmp_path) == [7]


def test_the_link_names_one_or_none_and_a_removed_folder_is_gone(tmp_path):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        point(tmp_path / "current", number)
    assert (tmp_path / "current").readlink().name == "2"
    point(tmp_path / "current", None)
    remove(tmp_path, 2)
    assert [each.name for each in tmp_path.iterdir()] == ["1"]


def test_what_cannot_be_read_is_one_line_with_its_remedy(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    for name, message in (("a", "a: .*; copy it"), ("b", "b: lost; copy it")):
        with pytest.raises(Refused, match=message):
            read_once(tmp_path / name, 4, remedy="copy it", missing="lost")
