"""A file is the old one or the new one, never a part of either."""

import os
import random
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge.errors import BadInput
from edge.files import (
    folder_beside,
    make_private_folder,
    read_password,
    read_text,
    sweep_temporary,
    temporary_beside,
    write_whole,
)


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    for content in (b"old", b"new and longer"):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "file", b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_link_that_lies_in_wait_is_not_written_through(tmp_path: Path) -> None:
    """As a neighbor would lay it in a shared folder, under each name that could be guessed."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    folder = tmp_path / "shared"
    folder.mkdir()
    for name in ("file", ".file.new", ".file.tmp", "file.new"):
        (folder / name).symlink_to(victim)
    write_whole(folder / "file", b"new")
    assert victim.read_bytes() == b"mine"
    assert (folder / "file").read_bytes() == b"new" and not (folder / "file").is_symlink()


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    """With one temporary name for both, one renamed what the other was still writing."""
    contents = [bytes([each]) * 300_000 for each in b"ab"]

    def write(content: bytes) -> None:
        for _ in range(40):
            write_whole(tmp_path / "file", content, durable=False)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "file").exists():
            assert (tmp_path / "file").read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_rights_are_kept_or_as_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "file", b"a")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
        (tmp_path / "file").chmod(0o640)
        write_whole(tmp_path / "file", b"b")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
        write_whole(tmp_path / "file", b"c", mode=0o600)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_name_as_long_as_can_be_is_written(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 127):
        write_whole(tmp_path / name, b"a")
        assert (tmp_path / name).read_bytes() == b"a"


def test_what_killed_processes_left_is_swept_and_nothing_else(tmp_path, monkeypatch) -> None:
    # A process sweeps so many folders at most, and earlier tests wrote to many.
    monkeypatch.setattr("edge.files._swept", set())
    left = temporary_beside(tmp_path / "file")
    others = [
        tmp_path / ".mine.new",
        tmp_path / ".notes.0123456789abcdef.new.txt",
        temporary_beside(tmp_path / "new"),
    ]
    folder = temporary_beside(tmp_path / "folder")
    for path in (left, *others):
        path.write_bytes(b"")
    folder.mkdir()
    link = temporary_beside(tmp_path / "link")
    link.symlink_to(others[0])
    for path in (left, others[0], others[1], folder):
        os.utime(path, (0, 0))
    assert sweep_temporary(tmp_path, time.time()) == 1
    assert not left.exists() and all(path.exists() for path in (*others, folder, link))
    # Whoever writes there anew sweeps by himself.
    again = tmp_path / "again"
    again.mkdir()
    stale = temporary_beside(again / "file")
    stale.write_bytes(b"")
    os.utime(stale, (0, 0))
    write_whole(again / "file", b"a")
    assert [entry.name for entry in again.iterdir()] == ["file"]


def test_a_pipe_a_device_and_an_endless_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "great").write_bytes(b"x" * 101)
    started = time.monotonic()
    for path, message in (
        (tmp_path / "pipe", "no regular file"),
        (Path("/dev/zero"), "no regular file"),
        (tmp_path, "no regular file"),
        (tmp_path / "great", "greater than 100 bytes"),
        (tmp_path / "nothing", "No such file"),
        (tmp_path / "great" / "below", "Not a directory"),
    ):
        with pytest.raises(BadInput, match=message):
            read_text(path, 100)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"\xef\xbb\xbfa = 1\r\nb = 2\r\n", "a = 1\nb = 2\n"),
        (b"a = 1\rb = 2", "a = 1\nb = 2"),
        ("ä".encode(), "ä"),
        ("a = 1".encode("utf-16"), None),
        ("a = 1".encode("utf-16-be"), None),
        ("a = 1".encode("utf-32"), None),
        ("ä".encode("latin-1"), None),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, content, read) -> None:
    (tmp_path / "file").write_bytes(content)
    if read is None:
        with pytest.raises(BadInput, match="save it as UTF-8"):
            read_text(tmp_path / "file", 100)
    else:
        assert read_text(tmp_path / "file", 100) == read


def test_a_folder_of_ours_is_made_private_and_no_other(tmp_path: Path) -> None:
    def rights(folder: Path) -> int:
        return stat.S_IMODE(folder.stat().st_mode)

    make_private_folder(tmp_path / "a" / "new")
    assert rights(tmp_path / "a" / "new") == 0o700
    for name, inside in (("empty", None), ("ours", "records.db"), ("home", "letters")):
        folder = tmp_path / name
        folder.mkdir()
        folder.chmod(0o755)
        if inside is not None:
            (folder / inside).touch()
        make_private_folder(folder, ("records.db",))
        assert rights(folder) == (0o755 if name == "home" else 0o700)
    if os.geteuid() == 0:  # as `sudo ewaste-edge install` does
        (tmp_path / "service").mkdir()
        os.chown(tmp_path / "service", 65534, 65534)
        make_private_folder(tmp_path / "service" / "bundles")
        assert rights(tmp_path / "service" / "bundles") & 0o055 == 0o055
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_private_folder(tmp_path / "file")


def test_a_password_is_the_whole_of_its_file_but_the_mark_and_the_end_of_the_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "password"
    for content, password in (
        (b"\xef\xbb\xbfs3cret\r\n", "s3cret"),
        (b" s3cret \n", " s3cret "),
        (b"s3cret", "s3cret"),
        ("p\u00e4ss\n".encode(), "p\u00e4ss"),
    ):
        path.write_bytes(content)
        assert read_password(path) == password
    for content in (b"", b"\n", b"\xef\xbb\xbf", b"a\nb\n", b"a\n\n", b"\xff", b"x" * 70_000):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="no password can be read") as caught:
            read_password(path)
        assert "a\n" not in str(caught.value) and "xxx" not in str(caught.value)
    path.write_bytes("s3cret".encode("utf-16"))
    with pytest.raises(BadInput, match="UTF-16"):
        read_password(path)


def test_a_folder_is_whole_or_not_there_and_what_the_killed_left_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with folder_beside(out) as staged:
        (staged / "a").touch()
        for name in ("left", "other"):
            (tmp_path / f".{name}.0123456789abcdef.new").mkdir()
        with folder_beside(out) as another:  # at the same time: neither removes the other's
            assert staged.exists() and another != staged
        staged.replace(out)
    assert (out / "a").exists()
    killed = [temporary_beside(out), temporary_beside(out)]
    for folder in killed:
        folder.mkdir()
        (folder / "b").touch()
    os.utime(killed[0], (0, 0))

    def fail() -> None:
        with folder_beside(out):
            assert not killed[0].exists() and killed[1].exists(), "the second may just be begun"
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        "out",
        killed[1].name,
        *(f".{n}.0123456789abcdef.new" for n in ("left", "other")),
    }


WRITER = """
import sys
from pathlib import Path
from edge.files import write_whole
for number in range(100_000):
    write_whole(Path(sys.argv[1]), bytes([97 + number % 26]) * 200_000, durable=False)
    if number == 0:
        print("at work", flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file_and_little_else(tmp_path: Path) -> None:
    chance, kills = random.Random(16), 6
    for _ in range(kills):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "file")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.1))
            writer.kill()
        content = (tmp_path / "file").read_bytes()
        assert len(content) == 200_000 and len(set(content)) == 1
    left = [path for path in tmp_path.iterdir() if path.name != "file"]
    assert len(left) <= kills
    for path in left:
        os.utime(path, (0, 0))
    sweep_temporary(tmp_path, time.time())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
