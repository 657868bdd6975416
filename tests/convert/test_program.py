"""Programs in the repository: what of a kit is checked, and what a ring may run."""

import json
from pathlib import Path

import pytest

pytest.importorskip("tuf")

from convert.program import read_program
from convert.repository import Place, promote, publish
from edge.bundle.bundle import load_bundle
from edge.errors import BadInput, EwasteError, Refused
from edge.setup.kit import LIST
from edge.update.offer import Ring
from edge.update.program_offer import ProgramOffer
from tests.support.programs import BUILT, COMMON, PURE, lock_of, make_kit, make_wheel
from tests.support.repositories import place_in, verified

TINY = Path(__file__).parents[1] / "data/tiny-bundle"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path)


def published(place: Place, kit: Path, ring: Ring = Ring.CANARY):
    return publish(place, program=read_program(kit), ring=ring)


def versions(contents) -> list[str | None]:
    """Of the programs that the canary boards and all boards run."""
    found = (contents.programs.get(ring) for ring in Ring)
    return [None if offer is None else offer.version for offer in found]


def test_a_program_goes_to_the_canary_and_then_to_all_beside_the_bundle(place, tmp_path):
    publish(place, load_bundle(TINY))
    contents = published(place, make_kit(tmp_path / "1", "0.1.0"))
    assert versions(contents) == ["0.1.0", None] and contents.rings.keys() == {Ring.CANARY}
    contents = promote(place)
    assert versions(contents) == ["0.1.0", "0.1.0"] and contents.rings.keys() == set(Ring)
    contents = published(place, make_kit(tmp_path / "2", "0.2.0"))
    assert versions(contents) == ["0.2.0", "0.1.0"]
    names = verified(place).targets.targets
    common = [name for name, each in names.items() if each.length == len(COMMON)]
    assert len(common) == 1, "what both versions have in common is there once"
    files = [name for name in names if name.startswith("file-")]
    assert len(files) == 2 + 2 * 2, "installer and common wheel, two of each version"
    promote(place)
    published(place, make_kit(tmp_path / "3", "0.3.0"))
    promote(place)
    publish(place)
    assert len([name for name in verified(place).targets.targets if name.startswith("file-")]) == 4
    assert len(list((place.folder / "targets").iterdir())) < 20, "old programs stay for ever"


def test_only_what_changed_is_written_and_nothing_the_second_time(place, tmp_path):
    published(place, make_kit(tmp_path / "1", "0.1.0"))
    before = {path: path.stat().st_ino for path in (place.folder / "targets").iterdir()}
    published(place, make_kit(tmp_path / "2", "0.2.0"))
    written = {
        path.name.partition(".")[2]
        for path in (place.folder / "targets").iterdir()
        if before.get(path) != path.stat().st_ino
    }
    assert len(written) == 3, written  # the program, the wheel that changed, the file of the ring
    before = {path: path.read_bytes() for path in place.folder.rglob("*.*")}
    published(place, tmp_path / "2")
    changed = [
        path.name for path, each in before.items() if path.exists() and path.read_bytes() != each
    ]
    assert changed == ["timestamp.json"]


def test_a_ring_never_goes_back_nor_sideways(place, tmp_path):
    published(place, make_kit(tmp_path / "2", "0.2.0"))
    with pytest.raises(Refused, match="the ring canary runs 0.2.0; boards take no older one"):
        published(place, make_kit(tmp_path / "1", "0.1.9"))
    other = make_kit(tmp_path / "other", "0.2.0", wheels={PURE: b"another"})
    with pytest.raises(Refused, match="runs another of this version; raise __version__"):
        published(place, other)
    published(place, make_kit(tmp_path / "9", "0.10.0"))  # by number, not by letter
    published(place, tmp_path / "9", Ring.ALL)
    with pytest.raises(Refused, match="the ring all runs 0.10.0"):
        published(place, tmp_path / "2", Ring.ALL)


def test_what_may_not_be_promoted_changes_nothing(place, tmp_path):
    publish(place, load_bundle(TINY))
    published(place, make_kit(tmp_path / "1", "0.1.0"))
    promote(place)
    published(place, make_kit(tmp_path / "2", "0.2.0"))
    before = {path: path.read_bytes() for path in place.folder.rglob("*.*")}
    asked: list[str] = []

    def may(offer) -> None:
        asked.append(offer.name)
        raise Refused("line-1: rolled back")

    with pytest.raises(Refused, match="line-1: rolled back"):
        promote(place, may)
    assert asked == ["program 0.2.0"], "of the bundle nothing is new"
    assert {path: path.read_bytes() for path in place.folder.rglob("*.*")} == before
    assert versions(promote(place, lambda offer: None)) == ["0.2.0", "0.2.0"]


def test_a_kit_for_several_machines_names_what_each_needs(tmp_path):
    kit = make_kit(tmp_path / "kit", "0.1.0", wheels={PURE: b"pure", BUILT: b"for 3.11"})
    listed = json.loads((kit / LIST).read_text())
    listed["files"] |= {"debs/bookworm-arm64/x_1_arm64.deb": listed["files"][f"wheels/{BUILT}"]}
    (kit / "debs/bookworm-arm64").mkdir(parents=True)
    (kit / "debs/bookworm-arm64/x_1_arm64.deb").write_bytes(b"for 3.11")
    (kit / LIST).write_text(json.dumps(listed))
    offer = read_program(kit).offer
    assert offer.machines == ("aarch64-3.11",) and len(offer.files) == 5
    assert {each.path for each in offer.files_for("aarch64-3.11")} == set(listed["files"])
    assert isinstance(ProgramOffer.model_validate_json(offer.model_dump_json()), ProgramOffer)


def damaged(kit: Path, damage: str) -> None:
    """Damage a kit in one way."""
    listed = json.loads((kit / LIST).read_text())
    program = next(kit.glob("*.whl"))
    if damage == "a wheel is tampered with":
        (kit / "wheels" / PURE).write_bytes(b"tampered")
    elif damage == "a wheel is missing":
        (kit / "wheels" / PURE).unlink()
    elif damage == "a wheel is not listed":
        del listed["files"][f"wheels/{PURE}"]
    elif damage == "for another Python":
        listed["pythons"] = ["3.13"]
    elif damage == "for another architecture":
        listed["platforms"] = ["x86_64"]
    elif damage == "for a machine that is none":
        listed["platforms"] = ["mips"]
    elif damage == "another installer":
        (kit / "install.sh").write_bytes(b"rm -rf /")
    elif damage == "no release":
        named = kit / "ewaste_edge-0.1.0.dev3-py3-none-any.whl"
        listed["files"][named.name] = listed["files"].pop(program.name)
        program.rename(named)
    elif damage == "a version of its own":
        other = make_wheel(kit / "made", "0.1.1", lock_of({PURE: COMMON}))
        program.write_bytes(other.read_bytes())
    elif damage == "no wheel":
        program.write_bytes(b"no wheel")
    elif damage == "a lock without hashes":
        program.write_bytes(make_wheel(kit / "made", "0.1.0", "a==1\n").read_bytes())
    if damage not in ("a wheel is tampered with", "a wheel is missing"):
        import hashlib

        for name in listed["files"]:
            listed["files"][name] = hashlib.sha256((kit / name).read_bytes()).hexdigest()
    (kit / LIST).write_text(json.dumps(listed))


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        ("a wheel is tampered with", Refused, "a-1-py3-none-any.whl: missing or damaged"),
        ("a wheel is missing", Refused, "a-1-py3-none-any.whl: missing or damaged"),
        ("a wheel is not listed", Refused, "no wheel of a 1 for aarch64 with Python 3.11, as the"),
        ("for another Python", Refused, "locks/python3.13.txt is missing or damaged"),
        ("for another architecture", Refused, "no wheel of b 2 for x86_64 with Python 3.11"),
        ("for a machine that is none", Refused, "for mips with Python 3.11, as no device"),
        ("another installer", Refused, "its install.sh is not that of ewaste_edge-0.1.0"),
        ("no release", Refused, "'0.1.0.dev3' is no version of a release"),
        ("a version of its own", Refused, "edge/__init__.py of .* has another version"),
        ("no wheel", BadInput, "no wheel; fill the folder again"),
        ("a lock without hashes", Refused, "no exact version with hashes"),
    ],
)
def test_a_kit_that_is_not_whole_is_not_signed(place, tmp_path, damage, kind, message):
    publish(place)
    before = {path: path.read_bytes() for path in place.folder.rglob("*.*")}
    kit = make_kit(tmp_path / "kit", "0.1.0")
    damaged(kit, damage)
    with pytest.raises(EwasteError, match=message) as refused:
        published(place, kit)
    assert type(refused.value) is kind and "\n" not in str(refused.value)
    assert {path: path.read_bytes() for path in place.folder.rglob("*.*")} == before


def test_what_changes_while_it_is_published_is_not_signed(place, tmp_path):
    program = read_program(make_kit(tmp_path / "kit", "0.1.0"))
    (tmp_path / "kit/wheels" / PURE).write_bytes(b"tampered")
    with pytest.raises(Refused, match="changed meanwhile"):
        publish(place, program=program)
