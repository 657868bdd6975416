"""The publisher of a repository: keys, roles, rings, and what it refuses to sign."""

import json
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

pytest.importorskip("tuf")

from tuf.api.metadata import Metadata

import convert.repository
from convert.repository import Place, promote, publish, rotate
from convert.role_keys import KeyFolders
from convert.roles import Role, parse_days
from edge.bundle.bundle import Bundle, load_bundle
from edge.bundle.packed import unpack
from edge.errors import BadInput, Refused
from edge.update.offer import Offer, Ring
from tests.support.bundles import reseal
from tests.support.repositories import place_in, verified

TINY = Path(__file__).parents[1] / "data/tiny-bundle"
NOW = datetime(2026, 11, 30, 8, tzinfo=timezone.utc)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path, now=NOW)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Bundle]:
    """Bundles by the day of May on which they were made."""

    def made(day: str) -> Bundle:
        folder = Path(shutil.copytree(TINY, tmp_path / f"bundle-{day}"))
        reseal(folder, name=f"of-{day}", created=f"2026-05-{day}T12:00:00Z")
        return load_bundle(folder)

    return made


def test_keys_are_for_their_owner_and_root_lies_apart(place: Place, tmp_path: Path) -> None:
    publish(place)
    keys = {path.name: path for path in tmp_path.rglob("*.pem")}
    assert {path.parent.name for path in keys.values()} == {"keys", "stick"}
    assert {f"{role.value}-1.pem" for role in Role} == set(keys)
    assert keys["root-1.pem"].parent.name == "stick"
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.values()} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in keys.values()} == {0o700}
    root = verified(place).root
    assert len({keyid for role in root.roles.values() for keyid in role.keyids}) == len(Role)
    # Without the key of root everything goes on but rotation.
    shutil.rmtree(tmp_path / "stick")
    publish(replace(place, now=NOW + timedelta(days=300)))
    with pytest.raises(BadInput, match="no key .* for the role root"):
        rotate(place, [Role.TIMESTAMP])


def test_a_bundle_goes_to_the_canary_and_then_to_all(place: Place, make, tmp_path: Path) -> None:
    contents = publish(place, make("01"))
    assert contents.rings.keys() == {Ring.CANARY} and contents.root_version == 1
    contents = promote(place)
    assert contents.rings[Ring.ALL] == contents.rings[Ring.CANARY]
    contents = publish(place, make("02"))
    assert [contents.rings[ring].name for ring in Ring] == ["of-02", "of-01"]
    targets = verified(place).targets.targets
    assert len(targets) == 4
    packed = place.target(targets[contents.rings[Ring.CANARY].bundle])
    (tmp_path / "unpacked").mkdir()
    unpack(packed.read_bytes(), tmp_path / "unpacked")
    assert load_bundle(tmp_path / "unpacked").digest == contents.rings[Ring.CANARY].digest
    promote(place)
    publish(place, make("03"))
    promote(place)
    publish(place)
    assert len(verified(place).targets.targets) == 3
    left = list((place.folder / "targets").iterdir())
    assert len(left) < 8, "bundles that no ring runs are left for ever"
    with pytest.raises(Refused, match="boards take no older one"):
        publish(place, load_bundle(tmp_path / "bundle-02"))


def test_what_may_not_be_promoted_changes_nothing(place: Place, make) -> None:
    publish(place, make("01"))
    before = {path: path.read_bytes() for path in place.folder.rglob("*.json")}
    asked: list[str] = []

    def may(offer: Offer) -> None:
        asked.append(offer.name)
        raise Refused("line-1: rolled back")

    with pytest.raises(Refused, match="line-1: rolled back"):
        promote(place, may)
    assert asked == ["of-01"]
    assert {path: path.read_bytes() for path in place.folder.rglob("*.json")} == before
    assert promote(place, lambda offer: None).rings[Ring.ALL].name == "of-01"


def test_the_same_bundle_again_changes_nothing_but_the_timestamp(place: Place, make) -> None:
    bundle = make("01")
    publish(place, bundle)
    before = {path: path.read_bytes() for path in place.folder.rglob("*.*")}
    publish(replace(place, now=NOW + timedelta(hours=1)), bundle)
    after = {path: path.read_bytes() for path in place.folder.rglob("*.*")}
    changed = [path.name for path in after if before.get(path) != after[path]]
    assert changed == ["timestamp.json"]


def test_what_is_half_over_is_signed_anew(place: Place) -> None:
    first = publish(place)
    later = publish(replace(place, now=NOW + timedelta(days=20)))
    assert later.expires[Role.SNAPSHOT] == NOW + timedelta(days=50)
    assert later.expires[Role.TARGETS] == first.expires[Role.TARGETS]
    year = replace(place, now=NOW + timedelta(days=200))
    assert publish(year).root_version == 2
    assert verified(year).root.expires == NOW + timedelta(days=565)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_gets_another_key(place: Place, make, role: Role) -> None:
    publish(place, make("01"))
    before = verified(place).root.roles[role.value].keyids
    assert rotate(place, [role]).root_version == 2
    after = verified(place).root.roles[role.value].keyids
    assert len(after) == 1 and before != after
    publish(place, make("02"))
    rotate(place, list(Role))
    assert verified(place).root.version == 3


def killed_at_each_write(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], after: Callable[[], object]
) -> int:
    """Do the work anew, cut off before its first write, its second, and so on; returns how many."""
    write, steps = convert.repository._write, 0
    while True:
        left = steps

        def cut(path: Path, content: bytes) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            write(path, content)

        monkeypatch.setattr(convert.repository, "_write", cut)
        try:
            work()
        except KeyboardInterrupt:
            monkeypatch.setattr(convert.repository, "_write", write)
            after()
        else:
            return steps
        steps += 1


def test_a_publisher_that_is_killed_leaves_a_whole_repository(
    place: Place, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(place, make("01"))
    bundle = make("02")

    def boards_see_the_old_one() -> None:
        assert verified(place).targets.version == 1
        (offer,) = publish(place).rings.values()
        assert offer.name == "of-01"

    steps = killed_at_each_write(
        monkeypatch, lambda: publish(place, bundle), boards_see_the_old_one
    )
    assert steps == 5 and verified(place).targets.version == 2


def test_a_rotation_that_is_killed_is_finished_by_the_next_step(
    place: Place, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(place, make("01"))

    def finished() -> None:
        publish(place)
        assert verified(place)

    steps = killed_at_each_write(monkeypatch, lambda: rotate(place, list(Role)), finished)
    assert steps == 4 and verified(place).root.version >= 2


def test_what_somebody_else_wrote_is_not_signed(place: Place, make, tmp_path: Path) -> None:
    publish(place, make("01"))
    whole = Path(shutil.copytree(place.folder, tmp_path / "whole"))
    path = place.folder / "metadata/1.targets.json"
    path.write_text(path.read_text().replace("canary.json", "all.json"))
    with pytest.raises(Refused, match="targets metadata are not signed by a key in"):
        promote(place)
    shutil.rmtree(place.folder)
    shutil.copytree(whole, place.folder)
    path = place.folder / "metadata/1.root.json"
    path.write_text(path.read_text().replace('"threshold":1', '"threshold":2'))
    with pytest.raises(Refused, match="root metadata are not signed"):
        rotate(place, [Role.TIMESTAMP])
    shutil.rmtree(place.folder)
    shutil.copytree(whole, place.folder)
    (path,) = (place.folder / "targets").glob("*canary.json")
    offer = {**json.loads(path.read_text()), "name": "mine"}
    path.write_text(json.dumps(offer))
    with pytest.raises(Refused, match="not what was signed"):
        promote(place)


def test_what_cannot_be_published_is_refused_in_one_line(
    place: Place, tmp_path: Path, make
) -> None:
    with pytest.raises(BadInput, match="no repository yet"):
        rotate(place, [Role.ROOT])
    publish(place)
    with pytest.raises(BadInput, match="canary runs nothing yet"):
        promote(place)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").touch()
    with pytest.raises(BadInput, match="holds something else than a repository"):
        publish(replace(place, folder=tmp_path / "photos"))
    other = KeyFolders(online=tmp_path / "other", root=tmp_path / "other/root")
    with pytest.raises(Refused, match="not signed by a key in"):
        publish(replace(place, keys=other))
    (place.folder / "metadata/timestamp.json").write_text("{")
    with pytest.raises(BadInput, match="no metadata of a repository"):
        publish(place)
    assert Metadata.from_file(str(place.folder / "metadata/1.root.json")).signed.version == 1


@pytest.mark.parametrize("text", ["root", "root=", "root=nan", "root=0", "root=9999", "all=3"])
def test_an_expiry_that_is_none(text: str) -> None:
    assert parse_days(["timestamp=0.5"])[Role.TIMESTAMP] == 0.5
    with pytest.raises(BadInput, match="give ROLE=DAYS, with one of root, targets"):
        parse_days([text])
