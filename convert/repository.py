"""A TUF repository of bundles and programs in a folder that any web server serves.

    metadata/   N.root.json, N.targets.json, N.snapshot.json, timestamp.json
    targets/    HASH.canary.json, HASH.all.json: what each ring runs; HASH.bundle-DIGEST.zip
                HASH.program-canary.json, HASH.program-all.json: the program that it runs, by the
                files HASH.file-DIGEST.whl of its kit, each of which is there once

Each step writes what is referred to before what refers to it, and `timestamp.json` last. So boards
that ask meanwhile, and a publisher that is killed, find a whole repository, the old or the new one.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from convert.program import ProgramKit
from convert.role_keys import KeyFolders, find_signer, is_ours, make_signer
from convert.roles import Role
from edge.bundle.bundle import Bundle
from edge.bundle.packed import MOST_PACKED_BYTES, pack
from edge.errors import BadInput, Refused, one_line
from edge.files import read_bounded, write_whole
from edge.update.offer import METADATA_FOLDER, TARGETS_FOLDER, Offer, Ring, offer_of, parse_offer
from edge.update.program_offer import (
    MOST_PROGRAM_OFFER_BYTES,
    ProgramOffer,
    parse_program_offer,
    program_target,
    version_key,
)

MOST_METADATA_BYTES = 2**20
READABLE = 0o644
SHA256 = ["sha256"]
TARGET_NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9-]+\.(json|zip|whl|sh|deb)")
TARGETS_META = "targets.json"
ONLINE = (Role.TARGETS, Role.SNAPSHOT, Role.TIMESTAMP)
Change = Callable[[Targets], None]


@dataclass(frozen=True)
class Place:
    """A repository, its keys, and the time.

    Attributes:
        folder: of the repository.
        keys: the folders of its keys.
        now: in UTC.
        days: how long what a role signs is valid.
    """

    folder: Path
    keys: KeyFolders
    now: datetime
    days: Mapping[Role, float]

    def metadata(self, role: Role, version: int = 0) -> Path:
        """The file of a role's metadata; that of timestamp has one name for all versions."""
        number = "" if role is Role.TIMESTAMP else f"{version}."
        return self.folder / METADATA_FOLDER / f"{number}{role.value}.json"

    def target(self, target: TargetFile) -> Path:
        """The file of a target, called by its content too."""
        return self.folder / TARGETS_FOLDER / f"{target.hashes['sha256']}.{target.path}"

    def expires(self, role: Role) -> datetime:
        """When what a role signs now expires; metadata know whole seconds."""
        return (self.now + timedelta(days=self.days[role])).replace(microsecond=0)

    def is_old(self, role: Role, signed: Signed) -> bool:
        """Whether half of its time is over."""
        return signed.expires - self.now < timedelta(days=self.days[role]) / 2


@dataclass(frozen=True)
class Contents:
    """What a repository says.

    Attributes:
        rings: what each ring runs, where it runs something.
        programs: which program each ring runs, where one is published for it.
        expires: when what each role signed expires.
        root_version: of the root metadata.
    """

    rings: Mapping[Ring, Offer]
    programs: Mapping[Ring, ProgramOffer]
    expires: Mapping[Role, datetime]
    root_version: int


def publish(
    place: Place,
    bundle: Bundle | None = None,
    ring: Ring = Ring.CANARY,
    program: ProgramKit | None = None,
) -> Contents:
    """Let a ring run a bundle or a program, and sign anew what needs it; without, only that.

    The repository and its keys are made at the first use.

    Raises:
        BadInput: a key is missing, or the folder holds something else.
        Refused: one is too large, or older than the one that the ring runs.
        OSError: it cannot be written.
    """
    root = _current_root(place)
    changes = [] if bundle is None else [_offering(place, bundle, ring)]
    changes += [] if program is None else [_offering_program(place, program, ring)]

    def change(targets: Targets) -> None:
        for each in changes:
            each(targets)

    return _sign_all(place, root, change if changes else None)


def promote(
    place: Place, check: Callable[[Offer | ProgramOffer], object] | None = None
) -> Contents:
    """Let the ring `all` run what the ring `canary` runs, the bundle and the program.

    Args:
        place: the repository.
        check: raises where one of them is not to be promoted; None: a person has decided. It is
            asked for what is another one than the ring `all` runs.

    Raises:
        BadInput: the canary ring runs nothing, or a key is missing.
        OSError: it cannot be written.
    """
    listed = _read_online(place).targets
    bundle = None if listed is None else _offer(place, listed.signed, Ring.CANARY)
    program = None if listed is None else _program(place, listed.signed, Ring.CANARY)
    if listed is None or (bundle is None and program is None):
        raise BadInput(f"{place.folder}: the ring canary runs nothing yet; publish a bundle")
    if check is not None:  # before anything is signed
        for each in _to_promote(place, listed.signed, bundle, program):
            check(each)

    def change(targets: Targets) -> None:
        if bundle is not None:
            _check_newer(place, targets, bundle, Ring.ALL)
            _point(place, targets, bundle, Ring.ALL)
        if program is not None:
            _check_newer_program(place, targets, program, Ring.ALL)
            _point_program(place, targets, program, Ring.ALL)

    return _sign_all(place, _current_root(place), change)


def _to_promote(
    place: Place, targets: Targets, bundle: Offer | None, program: ProgramOffer | None
) -> list[Offer | ProgramOffer]:
    """What the ring `all` does not run yet; all of it, if it runs all."""
    offered = [each for each in (bundle, program) if each is not None]
    runs = _offer(place, targets, Ring.ALL), _program(place, targets, Ring.ALL)
    return [each for each in offered if each not in runs] or offered


def rotate(place: Place, roles: Collection[Role]) -> Contents:
    """Give roles new keys, by a new version of root, and sign everything with them.

    Raises:
        BadInput: there is no repository, or the key of root is not at hand.
        Refused: somebody else changed the repository.
        OSError: it cannot be written.
    """
    before = _read_root(place)
    if before is None:
        raise BadInput(f"{place.folder}: no repository yet, so there are no keys to rotate")
    root, signers = _next_root(place, before, _signer(place, before.signed, Role.ROOT))
    for role in roles:
        signer = make_signer(place.keys, role, root.version)
        for keyid in list(root.roles[role.value].keyids):
            root.revoke_key(keyid, role.value)
        root.add_key(signer.public_key, role.value)
        if role is Role.ROOT:
            signers.append(signer)  # the old key vouches for the new one
    return _sign_all(place, _write_root(place, root, signers), None)


def _current_root(place: Place) -> Metadata[Root]:
    """The newest root: made at the first use, renewed when half its time is over."""
    found = _read_root(place)
    if found is None:
        return _first_root(place)
    signer = find_signer(place.keys, Role.ROOT, found.signed.roles[Role.ROOT.value].keyids)
    if signer is None or not place.is_old(Role.ROOT, found.signed):
        return found
    return _write_root(place, *_next_root(place, found, signer))


def _read_root(place: Place) -> Metadata[Root] | None:
    folder = place.folder / METADATA_FOLDER
    names = [re.fullmatch(r"(\d{1,9})\.root\.json", path.name) for path in folder.glob("*")]
    versions = [int(name[1]) for name in names if name]
    return _read(place, Role.ROOT, max(versions)) if versions else None


def _first_root(place: Place) -> Metadata[Root]:
    if place.folder.is_dir() and any(place.folder.iterdir()):
        raise BadInput(f"{place.folder}: holds something else than a repository; name a new folder")
    signers = {role: make_signer(place.keys, role, 1) for role in Role}
    root = Root(consistent_snapshot=True)
    for role, signer in signers.items():
        root.add_key(signer.public_key, role.value)
    return _write_root(place, root, [signers[Role.ROOT]])


def _next_root(
    place: Place, found: Metadata[Root], signer: CryptoSigner
) -> tuple[Root, list[CryptoSigner]]:
    """What the version of root after `found` begins as, and who signs it."""
    _check_ours(place, Role.ROOT, found)
    root = deepcopy(found.signed)
    root.version += 1
    return root, [signer]


def _write_root(place: Place, root: Root, signers: Collection[CryptoSigner]) -> Metadata[Root]:
    root.expires = place.expires(Role.ROOT)
    metadata = Metadata(root)
    for signer in signers:
        metadata.sign(signer, append=True)
    _write(place.metadata(Role.ROOT, root.version), metadata.to_bytes())
    return metadata


@dataclass(frozen=True)
class _Online:
    """The metadata in use of the roles below root; None: there are none yet."""

    targets: Metadata[Targets] | None = None
    snapshot: Metadata[Snapshot] | None = None
    timestamp: Metadata[Timestamp] | None = None


def _read_online(place: Place) -> _Online:
    """What `timestamp.json` leads to: what a killed publisher wrote beside it is not in use."""
    if not place.metadata(Role.TIMESTAMP).exists():
        return _Online()
    timestamp = _read(place, Role.TIMESTAMP)
    snapshot = _read(place, Role.SNAPSHOT, timestamp.signed.snapshot_meta.version)
    targets = _read(place, Role.TARGETS, snapshot.signed.meta[TARGETS_META].version)
    for role, metadata in zip(ONLINE, (targets, snapshot, timestamp), strict=True):
        _check_ours(place, role, metadata)
    return _Online(targets, snapshot, timestamp)


def _check_ours(place: Place, role: Role, metadata: Metadata) -> None:
    """See that nobody else wrote what is to be signed anew."""
    if not is_ours(place.keys, role, metadata.signed_bytes, metadata.signatures):
        raise Refused(
            f"{place.folder}: its {role.value} metadata are not signed by a key in "
            f"{place.keys.of(role)}; take the repository from where it was published"
        )


def _sign_all(place: Place, root: Metadata[Root], change: Change | None) -> Contents:
    """Bring a change of the targets up to `timestamp.json`, and what is old or has another key."""
    last = _read_online(place)
    listed = Targets() if last.targets is None else deepcopy(last.targets.signed)
    if change is not None:
        change(listed)
    targets = _renewed(place, root.signed, listed, last.targets)
    meta = {TARGETS_META: _meta(targets)}
    snapshot = _renewed(place, root.signed, Snapshot(meta=meta), last.snapshot)
    stamped = Timestamp(snapshot_meta=_meta(snapshot))
    timestamp = _sign(place, root.signed, stamped, last.timestamp)
    before = [] if last.targets is None else list(last.targets.signed.targets.values())
    _remove_others(place, [*targets.signed.targets.values(), *before])
    rings = {ring: _offer(place, targets.signed, ring) for ring in Ring}
    programs = {ring: _program(place, targets.signed, ring) for ring in Ring}
    expires = {Role(each.signed.type): each.signed.expires for each in (root, targets, snapshot)}
    return Contents(
        rings={ring: offer for ring, offer in rings.items() if offer is not None},
        programs={ring: offer for ring, offer in programs.items() if offer is not None},
        expires={**expires, Role.TIMESTAMP: timestamp.signed.expires},
        root_version=root.signed.version,
    )


def _renewed(place: Place, root: Root, signed: Signed, last: Metadata | None) -> Metadata:
    """The metadata of a role: the last ones where they still hold, else new ones, signed."""
    if last is not None:
        signed.version, signed.expires = last.signed.version, last.signed.expires
        role = Role(signed.type)
        try:
            root.verify_delegate(role.value, last.signed_bytes, last.signatures)
        except RepositoryError:  # the key is another one
            return _sign(place, root, signed, last)
        if signed == last.signed and not place.is_old(role, last.signed):
            return last
    return _sign(place, root, signed, last)


def _sign(place: Place, root: Root, signed: Signed, last: Metadata | None) -> Metadata:
    role = Role(signed.type)
    signed.version = 1 if last is None else last.signed.version + 1
    signed.expires = place.expires(role)
    metadata: Metadata[Any] = Metadata(signed)
    metadata.sign(_signer(place, root, role))
    _write(place.metadata(role, signed.version), metadata.to_bytes())
    return metadata


def _signer(place: Place, root: Root, role: Role) -> CryptoSigner:
    found = find_signer(place.keys, role, root.roles[role.value].keyids)
    if found is None:
        raise BadInput(
            f"{place.keys.of(role)}: no key that {place.folder} knows for the role {role.value}; "
            "name the folder of its keys"
        )
    return found


def _meta(metadata: Metadata) -> MetaFile:
    return MetaFile.from_data(metadata.signed.version, metadata.to_bytes(), SHA256)


def _offering(place: Place, bundle: Bundle, ring: Ring) -> Change:
    """The change that lets a ring run a bundle."""
    offer = offer_of(bundle)

    def change(targets: Targets) -> None:
        _check_newer(place, targets, offer, ring)
        content = pack(bundle.contents)
        if len(content) > MOST_PACKED_BYTES:
            raise Refused(f"{bundle.path}: packed, it has more than {MOST_PACKED_BYTES >> 20} MB")
        _add(place, targets, offer.bundle, content)
        _point(place, targets, offer, ring)

    return change


def _offering_program(place: Place, program: ProgramKit, ring: Ring) -> Change:
    """The change that lets a ring run a program; of its files only those are written that lack."""
    offer = program.offer

    def change(targets: Targets) -> None:
        _check_newer_program(place, targets, offer, ring)
        for file in offer.files:
            known = targets.targets.get(file.target)
            if known is None or not place.target(known).is_file():
                _add(place, targets, file.target, program.content(file))
            elif known.hashes["sha256"] != file.digest:
                raise Refused(f"{file.path}: its digest begins as that of another file")
        _point_program(place, targets, offer, ring)

    return change


def _check_newer_program(place: Place, targets: Targets, offer: ProgramOffer, ring: Ring) -> None:
    """See that boards would take a program: a newer version, or the same one again."""
    runs = _program(place, targets, ring)
    if runs is None or runs == offer:
        return
    if version_key(offer.version) < version_key(runs.version):
        raise Refused(
            f"{offer.name}: the ring {ring.value} runs {runs.version}; boards take no older one"
        )
    if version_key(offer.version) == version_key(runs.version) and offer.digest != runs.digest:
        raise Refused(
            f"{offer.name}: the ring {ring.value} runs another of this version; raise "
            "__version__ in edge/__init__.py, so that boards can tell them apart"
        )


def _check_newer(place: Place, targets: Targets, offer: Offer, ring: Ring) -> None:
    """See that boards would take a bundle: they refuse an older one than they run."""
    runs = _offer(place, targets, ring)
    if runs is not None and offer.created < runs.created:
        raise Refused(
            f"{offer.name}: converted {offer.created:%Y-%m-%d %H:%M:%S}, before {runs.name} of "
            f"{runs.created:%Y-%m-%d %H:%M:%S}, which the ring {ring.value} runs; boards take no "
            "older one"
        )


def _point(place: Place, targets: Targets, offer: Offer, ring: Ring) -> None:
    """Let a ring run a bundle that is among the targets; what no ring runs is listed no more."""
    _add(place, targets, ring.target, offer.model_dump_json(indent=1).encode() + b"\n")
    _drop_unused(place, targets)


def _point_program(place: Place, targets: Targets, offer: ProgramOffer, ring: Ring) -> None:
    """Let a ring run a program, likewise."""
    content = offer.model_dump_json(indent=1).encode() + b"\n"
    if len(content) > MOST_PROGRAM_OFFER_BYTES:
        raise Refused(f"{offer.name}: has too many files")
    _add(place, targets, program_target(ring), content)
    _drop_unused(place, targets)


def _drop_unused(place: Place, targets: Targets) -> None:
    used = set(_used(place, targets))
    for name in [name for name in targets.targets if name not in used]:
        del targets.targets[name]


def _used(place: Place, targets: Targets) -> Iterator[str]:
    """The targets that a ring runs."""
    for ring in Ring:
        yield from (ring.target, program_target(ring))
        bundle, program = _offer(place, targets, ring), _program(place, targets, ring)
        if bundle is not None:
            yield bundle.bundle
        if program is not None:
            yield from (file.target for file in program.files)


def _add(place: Place, targets: Targets, name: str, content: bytes) -> None:
    target = TargetFile.from_data(name, content, SHA256)
    _write(place.target(target), content)
    targets.targets[name] = target


def _offer(place: Place, targets: Targets, ring: Ring) -> Offer | None:
    """What a ring runs; None: nothing yet.

    Raises:
        Refused: its file is not the one that was signed.
    """
    found = _ring_file(place, targets, ring.target)
    return None if found is None else parse_offer(*found)


def _program(place: Place, targets: Targets, ring: Ring) -> ProgramOffer | None:
    """Which program a ring runs, likewise."""
    found = _ring_file(place, targets, program_target(ring))
    return None if found is None else parse_program_offer(*found)


def _ring_file(place: Place, targets: Targets, name: str) -> tuple[bytes, str] | None:
    """The file of a ring, as it was signed, and its name for messages."""
    target = targets.targets.get(name)
    if target is None:
        return None
    path = place.target(target)
    content = read_bounded(path, MOST_METADATA_BYTES)
    try:
        target.verify_length_and_hashes(content)
    except RepositoryError as error:
        raise Refused(f"{path}: not what was signed ({one_line(error)}); publish again") from None
    return content, str(path)


def _remove_others(place: Place, kept: Collection[TargetFile]) -> None:
    """Remove target files but for those of this version and the last, which boards may fetch."""
    names = {place.target(each).name for each in kept}
    for path in (place.folder / TARGETS_FOLDER).glob("*"):
        if path.name not in names and TARGET_NAME.fullmatch(path.name):
            path.unlink()


def _read(place: Place, role: Role, version: int = 0) -> Metadata:
    """Metadata of a repository.

    Raises:
        BadInput: they are malformed, or of another role.
    """
    path = place.metadata(role, version)
    try:
        found: Metadata = Metadata.from_bytes(read_bounded(path, MOST_METADATA_BYTES))
    except FileNotFoundError:
        raise BadInput(f"{path}: missing; the repository is not whole") from None
    except RepositoryError as error:
        raise BadInput(f"{path}: no metadata of a repository ({one_line(error)})") from None
    if found.signed.type != role.value:
        raise BadInput(f"{path}: metadata of the role {one_line(found.signed.type)}")
    return found


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content, mode=READABLE)
