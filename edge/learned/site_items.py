"""The reviewed items of a site, classified by the bundle in use, for its recalibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.calibration.answers import Answers, LabeledAnswers
from edge.errors import BadInput
from edge.inference.classifier import Prediction
from edge.learned.recalibration import LEAST_ITEMS, SiteItems
from edge.photos.reading import decode_photo
from edge.records.drawn import Drawn, SampleItem
from edge.records.reviews import NoClass
from edge.records.store import Store

CROP_MEGAPIXELS = 1.0
"""No recorded crop is as large."""
MOST_WAITING_SHARE = 0.1
"""Of the drawn items, so many may wait without an answer: a person may leave out the hard ones."""
LEFT_OUT = (NoClass.NO_ITEM.value, NoClass.SEVERAL_ITEMS.value)


@dataclass(frozen=True)
class ClassifiedItems:
    """What a site's reviewed items say of the bundle in use.

    Attributes:
        items: the answers of its model.
        left_out: number of items that show none, or several.
        unreadable: number of items whose crop cannot be read, or whose answer is not finite.
        since, until: when the first and the last of them were decided on, unix seconds.
    """

    items: SiteItems
    left_out: int
    unreadable: int
    since: float
    until: float


def require_reviewed(drawn: Drawn) -> None:
    """See that enough of what was drawn is answered on.

    Raises:
        BadInput: it is not.
    """
    total = len(drawn.answered) + drawn.waiting
    if not total:
        raise BadInput(
            "no item was drawn for review at random in this time; set review_share in [records], "
            "and review what is drawn (on the page: Review, random share only)"
        )
    if drawn.waiting > MOST_WAITING_SHARE * total:
        raise BadInput(
            f"{drawn.waiting} of {total} items that were drawn at random wait for review, and what "
            "is left out may be the hard ones; answer them first (on the page: Review, random "
            "share only), or choose another time with --from and --to"
        )


def classify_items(
    store: Store, drawn: Drawn, labels: Sequence[str], predict: Callable[[np.ndarray], Prediction]
) -> ClassifiedItems:
    """Classify the reviewed items once more, each by the crop that was recorded.

    What a person called other, or by a label that the model does not know, is of no known class.

    Args:
        store: the open file of records.
        drawn: what was drawn.
        labels: the classes, in the order of the logits.
        predict: uint8 RGB [height, width, 3] -> the model's answer.

    Raises:
        BadInput: items are missing.
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    usable = [item for item in drawn.answered if item.no_class not in LEFT_OUT]
    classes = {label: place for place, label in enumerate(labels)}
    predictions: list[Prediction] = []
    kept: list[SampleItem] = []
    for item in usable:
        prediction = _predict(store, item, predict)
        if prediction is not None:
            predictions.append(prediction)
            kept.append(item)
    is_known = np.array([item.label in classes for item in kept], bool)
    known = int(is_known.sum())
    if known < LEAST_ITEMS:
        raise BadInput(
            f"{known} reviewed items of a known class, drawn at random; {LEAST_ITEMS - known} of "
            f"{LEAST_ITEMS} are missing: review more, or raise review_share in [records]"
        )
    answers = Answers(
        np.stack([each.logits for each in predictions]),
        np.stack([each.embedding for each in predictions]),
    )
    truths = np.array([classes[item.label] for item in kept if item.label in classes])
    return ClassifiedItems(
        SiteItems(LabeledAnswers(answers.chosen(is_known), truths), answers.chosen(~is_known)),
        left_out=len(drawn.answered) - len(usable),
        unreadable=len(usable) - len(kept),
        since=min(item.decided_at for item in kept),
        until=max(item.decided_at for item in kept),
    )


def _predict(
    store: Store, item: SampleItem, predict: Callable[[np.ndarray], Prediction]
) -> Prediction | None:
    jpeg = store.crop(item.item_id)
    if jpeg is None:
        return None
    try:
        pixels = decode_photo(jpeg, ("JPEG",), CROP_MEGAPIXELS, CROP_MEGAPIXELS)
    except BadInput:
        return None
    prediction = predict(pixels)
    finite = np.isfinite(prediction.logits).all() and np.isfinite(prediction.embedding).all()
    return prediction if finite else None
