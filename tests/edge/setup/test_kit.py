"""Kits: whole, damaged, for other machines, and hostile."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import BadInput, EwasteError, Refused
from edge.setup import debs
from edge.setup.debs import fetch_debs, sources_for
from edge.setup.kit import (
    LIST,
    Kit,
    program_in,
    read_kit,
    require_kit_for,
    require_whole,
    write_kit,
)
from edge.setup.packages import ON_A_PI
from edge.setup.report import Outcome
from edge.setup.source import file_digest

PROGRAM = "ewaste_edge-1-py3-none-any.whl"
DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates sid
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://other.example/node
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
deb [arch=amd64 signed-by=/k.gpg] http://pi.example/debian/ bookworm main contrib
deb-src http://pi.example/debian/ bookworm main
# deb http://off.example/debian bookworm main
"""


@pytest.fixture
def kit(tmp_path) -> Kit:
    folder = tmp_path / "stick"
    (folder / "wheels").mkdir(parents=True)
    for name in (PROGRAM, "wheels/a-1.whl"):
        (folder / name).write_bytes(name.encode())
    digests = {name: file_digest(folder / name) for name in (PROGRAM, "wheels/a-1.whl")}
    made = Kit(folder=folder, platforms=("aarch64",), pythons=("3.11",), digests=digests)
    write_kit(made)
    return made


def test_a_kit_that_was_written_is_read_and_whole(kit):
    read = read_kit(kit.folder)
    assert read == kit and program_in(read).name == PROGRAM
    require_whole(read)
    require_kit_for(read, "aarch64", "3.11")
    for platform, python in (("x86_64", "3.11"), ("aarch64", "3.13")):
        with pytest.raises(BadInput, match=f"--platform {platform} --python {python}"):
            require_kit_for(read, platform, python)


@pytest.mark.parametrize("damage", ["missing", "changed", "folder"])
def test_a_damaged_kit_is_refused(kit, damage):
    path = kit.wheels / "a-1.whl"
    path.write_bytes(b"changed")
    if damage != "changed":
        path.unlink()
    if damage == "folder":
        path.mkdir()
    with pytest.raises(Refused, match=r"a-1\.whl: missing or damaged"):
        require_whole(read_kit(kit.folder))


def test_a_folder_without_a_list_is_no_kit(tmp_path):
    with pytest.raises(BadInput, match=r"no whole kit \(kit\.json\); fill it"):
        read_kit(tmp_path)


@pytest.mark.parametrize(
    "name", ["../x.whl", "/etc/passwd", "wheels/../../x", "", "a//b", ".hidden", "a\nb", "a\0"]
)
def test_a_list_leads_nowhere_else(kit, name):
    content = json.loads((kit.folder / LIST).read_text())
    content["files"] = {name: "0" * 64}
    (kit.folder / LIST).write_text(json.dumps(content))
    with pytest.raises(BadInput, match="no list of a kit") as refused:
        read_kit(kit.folder)
    assert str(refused.value).isprintable()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_any_json_is_read_or_refused(tmp_path, content):
    (tmp_path / LIST).write_text(json.dumps(content))
    with pytest.raises(BadInput):
        read_kit(tmp_path)


def test_the_sources_of_another_release_are_those_of_this_one(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/raspi.list").write_text(ONE_LINE)
    found = sources_for("trixie", "bookworm", tmp_path).split("\n\n")
    assert len(found) == 2
    assert "Suites: trixie trixie-updates\n" in found[0] and "keyrings/debian.gpg" in found[0]
    assert "Uris: http://pi.example/debian/\nSuites: trixie\n" in found[1]
    assert "Signed-By: /k.gpg" in found[1] and "Components: main contrib" in found[1]
    assert sources_for("trixie", "bookworm", tmp_path / "absent") == ""


@pytest.mark.parametrize(
    ("has_apt", "fails_at", "reason"),
    [
        (True, "install", "not in this machine's sources of packages"),
        (True, "update", "E: no network"),
        (False, "", "this machine has no apt"),
    ],
)
def test_without_debs_one_line_says_what_the_device_must_have(
    tmp_path, monkeypatch, has_apt, fails_at, reason
):
    def apt(command, **how):
        if fails_at in command and (fails_at == "update" or set(command) & set(ON_A_PI)):
            raise EwasteError("E: no network")
        return ""

    monkeypatch.setattr(debs.shutil, "which", lambda name: name if has_apt else None)
    monkeypatch.setattr(debs, "read_release", lambda: {"VERSION_CODENAME": "bookworm"})
    monkeypatch.setattr(debs, "sources_for", lambda release, own: "Types: deb")
    (step,) = fetch_debs(tmp_path, release="trixie", architecture="arm64", run=apt)
    assert step.outcome is Outcome.NOTE and "\n" not in step.line
    assert step.detail.startswith(f"trixie, arm64: {', '.join(ON_A_PI)}: {reason}; the device must")
    assert step.detail.endswith(f"sudo apt install {' '.join(ON_A_PI)}")


def test_debs_that_apt_has_come_into_the_kit(tmp_path, monkeypatch):
    """The package itself and what it needs, without what each device has."""
    fetched = []

    def apt(command, **how):
        named = [str(word) for word in command]
        if "download" in " ".join(named):
            fetched.extend(named[5:])
        if "--print-uris" not in named:
            return ""
        files = ["libc6_1_arm64.deb"] + [f"{name}_2_arm64.deb" for name in ON_A_PI if name in named]
        return "".join(f"'http://mirror.example/{file}' {file} 5 x\n" for file in files)

    monkeypatch.setattr(debs.shutil, "which", lambda name: name)
    monkeypatch.setattr(debs, "read_release", lambda: {"VERSION_CODENAME": "bookworm"})
    monkeypatch.setattr(debs, "sources_for", lambda release, own: "Types: deb")
    (step,) = fetch_debs(tmp_path / "debs", release="bookworm", architecture="arm64", run=apt)
    assert step.outcome is Outcome.DONE and "2 packages" in step.detail
    assert fetched == sorted(ON_A_PI)
