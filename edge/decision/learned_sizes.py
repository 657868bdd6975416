"""How large the items of a class are, learned from the records that a person has reviewed."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edge.bundle.sizes import LONGEST_MM, SHORTEST_MM, SizeDistribution, fitted
from edge.photos.dataset import find_photos
from edge.records.export import picture_name
from edge.records.record import ItemRecord
from edge.verdict import Reason


def reviewed_labels(folder: Path) -> dict[str, str]:
    """Name of a picture, without its suffix -> the label of the folder that it lies in.

    Args:
        folder: what `edge.records.export.export_review` wrote and a person has put right.

    Raises:
        BadInput: it holds no photos.
    """
    return {photo.path.stem: photo.label for photo in find_photos(folder)}


def reviewed_sides(
    records: Iterable[ItemRecord], labels: Mapping[str, str]
) -> dict[str, list[float]]:
    """Label that a person gave -> the longer sides of its items, mm, in the order of the labels.

    Args:
        records: what the line recorded.
        labels: name of a picture -> the label that a person gave; beside those in the records.
    """
    sides: dict[str, list[float]] = defaultdict(list)
    for record in records:
        label = labels.get(picture_name(record)) or record.reviewed
        if not label or record.reason is Reason.TOUCHING:
            continue
        if math.isfinite(record.longer_mm) and SHORTEST_MM <= record.longer_mm <= LONGEST_MM:
            sides[label].append(record.longer_mm)
    return dict(sorted(sides.items()))


def learned_sizes(sides: Mapping[str, Sequence[float]], least: int) -> dict[str, SizeDistribution]:
    """The distribution of each label of which at least `least` (2 or more) items were measured."""
    return {label: fitted(each) for label, each in sides.items() if len(each) >= least}
