"""Packed bundles: one is unpacked whole; anything else leaves nothing outside its folder."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from edge.bundle.bundle import load_bundle
from edge.bundle.manifest import MANIFEST, MODEL
from edge.bundle.packed import MOST_PACKED_BYTES, unpack
from edge.errors import Refused
from tests.support.bundles import packed

ODD = some.sampled_from(["..", "/", "\\", "a", MODEL, MANIFEST, " ", "."])


def archive_of(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form) as archive:
        for member, data in members:
            member.size = member.size or len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def of_kind(name: str, kind: bytes) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, "/etc/passwd"
    return made


def tar_of_bundle(bundle: Path, place: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(bundle, place)
    return content.getvalue()


def info(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


@pytest.mark.parametrize("folder", ["", "bundle/"])
def test_a_packed_bundle_is_unpacked_whole(tiny_bundle: Path, tmp_path: Path, folder: str) -> None:
    unpack(packed(tiny_bundle, folder), tmp_path)
    assert load_bundle(tmp_path).digest == load_bundle(tiny_bundle).digest
    assert {each.name for each in tmp_path.iterdir()} == {
        each.name for each in tiny_bundle.iterdir()
    }


@pytest.mark.parametrize("place", [".", "bundle"])
def test_a_bundle_in_a_tar_archive_is_unpacked_whole(
    tiny_bundle: Path, tmp_path: Path, place: str
) -> None:
    unpack(tar_of_bundle(tiny_bundle, place), tmp_path)
    assert load_bundle(tmp_path).digest == load_bundle(tiny_bundle).digest


NONE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "no zip archive"),
    "an empty archive": (lambda: archive_of(), "empty"),
    "a picture": (lambda: b"\xff\xd8" + bytes(1000), "no zip archive"),
    "a file above": (lambda: archive_of(("../x", b"")), "leads out"),
    "a manifest above": (lambda: archive_of((f"../{MANIFEST}", b"")), "leads out"),
    "an absolute path": (lambda: archive_of((f"/etc/{MANIFEST}", b"")), "leads out"),
    "a path of Windows": (lambda: archive_of((f"..\\{MANIFEST}", b"")), "leads out"),
    "a link": (lambda: archive_of((info(MODEL, stat.S_IFLNK | 0o777), b"/etc/passwd")), "a link"),
    "a device": (lambda: archive_of((info(MODEL, stat.S_IFCHR | 0o666), b"")), "or a device"),
    "another file": (lambda: archive_of((MANIFEST, b""), ("run.sh", b"")), "no file of one"),
    "two bundles": (lambda: archive_of(("a/" + MODEL, b""), ("b/" + MODEL, b"")), "no file of one"),
    "two folders": (lambda: archive_of(("a/" + MODEL, b""), (MANIFEST, b"")), "several folders"),
    "deep folders": (lambda: archive_of(("a/b/" + MODEL, b"")), "no file of one"),
    "many files": (lambda: archive_of(*((f"{each}", b"") for each in range(65))), "more than 64"),
    "a bomb": (lambda: archive_of((MODEL, bytes(129 << 20))), "unpacks to more"),
    "a large manifest": (lambda: archive_of((MANIFEST, bytes(2 << 20))), "larger than"),
    "a tar with a file above": (
        lambda: tar_of((tarfile.TarInfo(f"../{MANIFEST}"), b"")),
        "leads out",
    ),
    "a tar with an absolute path": (
        lambda: tar_of((tarfile.TarInfo(f"/etc/{MANIFEST}"), b"")),
        "leads out",
    ),
    "a tar with a link": (lambda: tar_of((of_kind(MODEL, tarfile.SYMTYPE), b"")), "a link"),
    "a tar with a hard link": (lambda: tar_of((of_kind(MODEL, tarfile.LNKTYPE), b"")), "a link"),
    "a tar with a pipe": (lambda: tar_of((of_kind(MODEL, tarfile.FIFOTYPE), b"")), "or a device"),
    "a tar with a file twice": (
        lambda: tar_of((tarfile.TarInfo(MODEL), b"1"), (tarfile.TarInfo(MODEL), b"2")),
        "no file of one",
    ),
    "a tar of many files": (
        lambda: tar_of(*((tarfile.TarInfo(f"{each}"), b"") for each in range(65))),
        "more than 64",
    ),
    "a tar with a large manifest": (
        lambda: tar_of((tarfile.TarInfo(MANIFEST), bytes(2 << 20))),
        "larger than",
    ),
    "a tar that is cut off": (
        lambda: tar_of((tarfile.TarInfo(MODEL), b"m" * 5000))[:2000],
        "broken|cut off|end of data",
    ),
    "too many bytes": (lambda: bytes(MOST_PACKED_BYTES + 1), "more than 64 MB"),
}


@pytest.mark.parametrize("kind", NONE)
def test_what_is_no_packed_bundle_is_refused(tmp_path: Path, kind: str) -> None:
    make, reason = NONE[kind]
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(Refused, match=reason) as refused:
        unpack(make(), folder)
    assert "\n" not in str(refused.value)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    honest = bytearray(archive_of((MANIFEST, bytes(2 << 20))))
    size = (2 << 20).to_bytes(4, "little")
    assert honest.count(size) == 2
    with pytest.raises(Refused):
        unpack(bytes(honest.replace(size, (10).to_bytes(4, "little"))), tmp_path)
    assert not any(tmp_path.iterdir())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    names=some.lists(some.lists(ODD, min_size=1, max_size=4).map("".join), max_size=4),
    as_tar=some.booleans(),
    cut=some.integers(0, 400),
    at=some.integers(0, 400),
)
def test_whatever_an_archive_holds_nothing_is_written_beside(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], as_tar: bool, cut: int, at: int
) -> None:
    place = tmp_path_factory.mktemp("unpacked")
    folder = place / "folder"
    folder.mkdir()
    made = (
        tar_of(*((tarfile.TarInfo(name), b"x" * 30) for name in names))
        if as_tar
        else archive_of(*((name, b"x" * 30) for name in dict.fromkeys(names)))
    )
    content = bytearray(made)
    if at < len(content):
        content[at] ^= 0x55
    with suppress(Refused):
        unpack(bytes(content[: len(content) - cut]) if cut > 300 else bytes(content), folder)
    assert [each.name for each in place.iterdir()] == ["folder"]
    assert {each.name for each in folder.iterdir()} <= {MODEL, MANIFEST}
