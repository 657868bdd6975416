"""Which items a person should review: those the model learns most from, and a random share.

The random share shows mistakes that the model makes with high confidence. Items in doubt all wait
for review, and the same share of them is drawn too: both draws together are a fair sample of all.
"""

import random
from collections.abc import Callable, Mapping

from edge.labels import MANUAL, UNKNOWN
from edge.records.record import ItemRecord
from edge.verdict import Reason

UNSURE, NEAR, SUSPECTED, SAMPLE = "unsure", "near the threshold", "suspected", "random share"
DOUBTFUL_SAMPLE = "random share of the doubtful"
DRAWN = (SAMPLE, DOUBTFUL_SAMPLE)
"""Why an item waits that was drawn at random, whatever it looks like."""


def why_review(
    record: ItemRecord, threshold: float, margin: float, share: float, drawn: float
) -> str:
    """Return why a person should review an item; empty: no review is needed.

    Args:
        record: record of the item. One without a crop cannot be reviewed, and nothing is learned
            from items that touch.
        threshold: least confidence for its label, 0 to 1.
        margin: distance above the threshold that still counts as near it, 0 to 1.
        share: share of the items, with and without a doubt, that is drawn, 0 to 1.
        drawn: a random number, 0 to 1.
    """
    if not record.crop or record.reason == Reason.TOUCHING:
        return ""
    doubt = _doubt(record, threshold, margin)
    if drawn < share:
        return DOUBTFUL_SAMPLE if doubt else SAMPLE
    return doubt


def _doubt(record: ItemRecord, threshold: float, margin: float) -> str:
    if record.label == UNKNOWN:
        return UNSURE
    if record.confidence < threshold + margin:
        return NEAR
    # These say nothing of the item.
    held = record.reason in (Reason.PAUSED, Reason.ALL_MANUAL, Reason.SENSOR_SILENT)
    if record.bin == MANUAL and not record.late and not held:
        return SUSPECTED
    return ""


def reviewer(
    thresholds: Mapping[str, float], margin: float, share: float
) -> Callable[[ItemRecord], str]:
    """Return `why_review` for the items of one run, with its own random numbers.

    Args:
        thresholds: label -> least confidence for it, 0 to 1.
        margin: distance above the threshold that still counts as near it, 0 to 1.
        share: share of the items, with and without a doubt, that is drawn, 0 to 1.
    """
    numbers = random.Random()
    return lambda record: why_review(
        record, thresholds.get(record.label, 0.0), margin, share, numbers.random()
    )
