"""Forgetting one class: the next generation is the one in use without it."""

from collections.abc import Mapping
from datetime import datetime, timezone

from edge.errors import BadInput, one_line
from edge.labels import find_label
from edge.learned.adapted import pack_rows, read_rows
from edge.learned.crops import pack_crops, unpack_crops
from edge.learned.manifest import ADAPTER, CROPS, LearnedManifest
from edge.learned.store import Generation


def without_class(
    current: Generation, label: str, now: float, by: str
) -> tuple[LearnedManifest, Mapping[str, bytes]]:
    """A generation without one class, and its files.

    Args:
        current: it, loaded with its crops.
        label: the class.
        now: unix seconds.
        by: who forgets it.

    Raises:
        BadInput: no such class was taught.
        Refused: its files are malformed.
    """
    before = current.manifest
    found = find_label(label, before.labels)
    if found is None:
        taught = ", ".join(before.labels) or "none"
        raise BadInput(f"{one_line(label)}: no such class was taught; taught: {taught}")
    place = before.labels.index(found)
    kept = [index for index in range(len(before.classes)) if index != place]
    manifest = before.model_copy(
        update={
            "classes": tuple(before.classes[index] for index in kept),
            "created": datetime.fromtimestamp(now, timezone.utc),
            "by": by,
        }
    )
    if not kept:
        return manifest, {}
    crops = unpack_crops(current)
    rows = read_rows(current)
    return manifest, {
        ADAPTER: pack_rows([rows[index] for index in kept]),
        CROPS: pack_crops(jpeg for index in kept for jpeg in crops[index]),
    }
