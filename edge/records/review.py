"""Which items a person should look at: those the model learns most from, and a random share.

The random share is what shows mistakes that the model is sure of.
"""

import random
from collections.abc import Callable, Mapping

from edge.labels import MANUAL, UNKNOWN
from edge.records.store import ItemRecord
from edge.verdict import Reason

UNSURE, NEAR, SUSPECTED, SAMPLE = "unsure", "near the threshold", "suspected", "random share"


def why_review(
    record: ItemRecord, threshold: float, margin: float, share: float, drawn: float
) -> str:
    """Why to look at an item; empty: no need.

    Args:
        record: the item's; without a picture there is nothing to look at, and one of items that
            touch shows nothing to learn.
        threshold: least confidence for its label, 0 to 1.
        margin: how far above the threshold is still near it.
        share: of the other items that is looked at, 0 to 1.
        drawn: a random number, 0 to 1.
    """
    if not record.crop or record.reason == Reason.TOUCHING:
        return ""
    if record.label == UNKNOWN:
        return UNSURE
    if record.confidence < threshold + margin:
        return NEAR
    if record.bin == MANUAL and not record.late:
        return SUSPECTED
    return SAMPLE if drawn < share else ""


def reviewer(
    thresholds: Mapping[str, float], margin: float, share: float
) -> Callable[[ItemRecord], str]:
    """`why_review` for the items of one run, with random numbers of its own."""
    numbers = random.Random()
    return lambda record: why_review(
        record, thresholds.get(record.label, 0.0), margin, share, numbers.random()
    )
