"""A repository in a scratch folder, and how a client sees it."""

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from convert.repository import Place
from convert.role_keys import KeyFolders
from convert.roles import DAYS


def place_in(folder: Path, **changes: object) -> Place:
    """A place to publish to, with the keys of root apart."""
    keys = KeyFolders(online=folder / "keys", root=folder / "stick")
    return replace(Place(folder / "repository", keys, datetime.now(timezone.utc), DAYS), **changes)


def verified(place: Place) -> TrustedMetadataSet:
    """A repository as a client sees it that trusts the first root."""
    folder = place.folder / "metadata"
    seen = TrustedMetadataSet((folder / "1.root.json").read_bytes(), EnvelopeType.METADATA)
    seen.reference_time = place.now
    version = 2
    while (folder / f"{version}.root.json").exists():
        seen.update_root((folder / f"{version}.root.json").read_bytes())
        version += 1
    timestamp = seen.update_timestamp((folder / "timestamp.json").read_bytes())
    name = f"{timestamp.snapshot_meta.version}.snapshot.json"
    snapshot = seen.update_snapshot((folder / name).read_bytes())
    name = f"{snapshot.meta['targets.json'].version}.targets.json"
    targets = seen.update_targets((folder / name).read_bytes())
    for target in targets.targets.values():
        target.verify_length_and_hashes(place.target(target).read_bytes())
    return seen
