import os
import random
import time
import unicodedata

import pytest

from edge.errors import BadInput
from edge.photos.dataset import find_dataset
from edge.photos.listing import UNSPLIT, LeftOutReason, listing_text, read_listing


@pytest.fixture
def listed(tmp_path):
    """A folder with photos, to be listed; they are not read."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"photo")

    def write(content):
        path = tmp_path / "photos.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def message_about(path):
    with pytest.raises(BadInput) as caught:
        read_listing(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 600
    return message


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('path,label\n"a.jpg,Mouse\nb.jpg,Mouse\nc.jpg",Mouse\n', "line 2: a field in quotes goes"),
        ('path,label\na.jpg,Mouse\n"b.jpg,Mouse\nc.jpg,Mouse\n', "line 3: not CSV"),
        ('path,label\na.jpg,Mouse\n"b"x.jpg,Mouse\n', "line 3: not CSV"),
        ('path,label\n"' + "a.jpg,Mouse\n" * 30000, "line 2: not CSV (field larger"),
        ("path,label\na.jpg,Mouse,train\n", "line 2: 3 fields, but the first line names 2"),
        ("path,label,split\na.jpg,Mouse\n", "line 2: 2 fields, but the first line names 3"),
        ("path;label\na.jpg;Mouse\n", "separated by semicolons"),
        ("path\tlabel\na.jpg\tMouse\n", "separated by tabs"),
        ("path,label\na.jpg,Mouse\n".encode("utf-16"), "is UTF-16"),
        ("path,label\na.jpg,Mouse\n".encode("utf-16-le"), "line 1 holds a NUL byte"),
        ("path,label\na.jpg,Mouse\nb\0.jpg,Mouse\n", "line 3 holds a NUL byte"),
        (f"path,label\na.jpg,Mouse\n{'x' * 5000},Mouse\n", "line 3: labeled Mouse, but"),
        (
            "path,label\na.jpg,Mouse\nb.jpg,PCB\n./a.jpg,PCB\n",
            "is labeled PCB, but Mouse in line 2",
        ),
        ("path,label,label\na.jpg,Mouse,PCB\n", "names the column label twice"),
        ("path,label\na.jpg,T\xe9l\n".encode("latin-1"), "a label must be UTF-8"),
        ("path,label\nT\xe9l.jpg,Mouse\n".encode("latin-1"), "save the list as UTF-8"),
        ("path,label\ntrain\\a.jpg,Mouse\n", "write folders with /"),
        ("path,label\na.jpg,unknown\n", "unknown is what"),
        ('path,label\na.jpg,"Mouse\nPCB"\n', "line 2: a field in quotes"),
        ("path,label\n.,Mouse\n", "is no file"),
        ("", "no column label and path"),
    ],
)
def test_a_fault_is_one_line_that_names_the_line(listed, content, line):
    assert line in message_about(listed(content))


def test_a_broken_link_is_named(listed, tmp_path):
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    assert "line 2: labeled Mouse, but" in message_about(listed("path,label\ngone.jpg,Mouse\n"))
    assert "is a broken link" in message_about(listed("path,label\ngone.jpg,Mouse\n"))


def test_a_list_of_absurd_size_is_not_read(listed, tmp_path):
    path = listed("path,label\na.jpg,Mouse\n")
    os.truncate(path, 2**40)
    started = time.monotonic()
    assert "larger than 256 MB" in message_about(path) and time.monotonic() - started < 1


def test_headers_and_splits_are_taken_as_they_are_usually_written(listed):
    content = "\ufeff Path , Label,SPLIT\r\na.jpg,Mouse,Training\r\n\r\nb.jpg,Mouse,valid\r\n"
    listing = find_dataset(listed(content))
    assert {split: len(photos) for split, photos in listing.items()} == {"train": 1, "val": 1}


def test_a_photo_listed_twice_counts_once_and_that_is_reported(listed):
    listing, left_out = read_listing(listed("path,label\na.jpg,Mouse\na.jpg,Mouse\n"))
    assert len(listing[UNSPLIT]) == 1
    assert [left.reason for left in left_out] == [LeftOutReason.TWICE]


def test_accents_compare_however_they_are_typed(listed, tmp_path):
    stored, typed = (unicodedata.normalize(form, "Téléphone") for form in ("NFD", "NFC"))
    (tmp_path / f"{stored}.jpg").write_bytes(b"photo")
    rows = f"path,label\n{typed}.jpg,{stored}\na.jpg,{typed}\n"
    assert {photo.label for photo in find_dataset(listed(rows))[UNSPLIT]} == {typed}


def test_names_of_any_bytes_make_the_round_trip(listed, tmp_path):
    names = [b"gr\xfcn.jpg", b'quote".jpg', b"two\nlines.jpg", b"comma, ;.jpg", b"=1+1.jpg"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"photo")
    path = listed(listing_text((os.fsdecode(name), "Mouse", "train") for name in names))
    found = find_dataset(path)["train"]
    assert [os.fsencode(photo.path.name) for photo in found] == names


def test_spoilt_lists_are_read_or_named_and_nothing_else(listed):
    """Bytes of a list are changed, left out, duplicates at random for a few seconds."""
    rng = random.Random(16)
    good = b"path,label,split\n" + b"".join(
        b'"%s",%s,%s\n' % (name, label, split)
        for name in (b"a.jpg", b"./b.jpg", b"c.jpg")
        for label, split in ((b"Mouse", b"train"), (b"Mouse", b"val"))
    )
    pieces = [b'"', b"\n", b"\r", b",", b"\0", b"\xff", b"\xfe\xff", b"../" * 50, b"\xc2\xa0"]
    outcomes = {"read": 0, "refused": 0}
    deadline = time.monotonic() + 4
    for _ in range(3000):
        if time.monotonic() > deadline:
            break
        content = bytearray(good)
        for _ in range(rng.randint(1, 2)):
            place = rng.randrange(len(content))
            kind = rng.randrange(3)
            if kind == 0:
                content[place] = rng.randrange(256)
            elif kind == 1:
                content[place:place] = rng.choice(pieces)
            else:
                del content[place : place + rng.randint(1, 12)]
        path = listed(bytes(content))
        try:
            listing, _ = read_listing(path)
        except BadInput as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
            outcomes["refused"] += 1
        else:
            assert all(photo.path.is_file() for photos in listing.values() for photo in photos)
            outcomes["read"] += 1
    assert min(outcomes.values()) > 5, outcomes
