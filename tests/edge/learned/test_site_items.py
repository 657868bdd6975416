from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.errors import BadInput
from edge.inference.classifier import Prediction
from edge.labels import MANUAL, UNKNOWN
from edge.learned.recalibration import LEAST_ITEMS
from edge.learned.site_items import classify_items, require_reviewed
from edge.records.drawn import drawn_items
from edge.records.period import Period
from edge.records.review import DOUBTFUL_SAMPLE, NEAR, SAMPLE, UNSURE
from edge.records.reviews import NoClass, ReviewStore
from edge.records.store import Store
from tests.support.records import RECORD

LABELS = ("Battery", "Mouse")
ALWAYS = Period(0.0, 4e9)
JPEG = cv2.imencode(".jpg", np.full((24, 24, 3), 90, np.uint8))[1].tobytes()


def predict(pixels: np.ndarray) -> Prediction:
    assert pixels.dtype == np.uint8 and pixels.shape == (24, 24, 3)
    return Prediction(np.array([1.0, 0.0]), np.array([0.7, 0.3]), np.ones(4))


@pytest.fixture
def path(tmp_path):
    """120 drawn items, a third of them in doubt, and as many in doubt that were not drawn."""
    path, rows = tmp_path / "records.db", []
    for number in range(120):
        item = replace(RECORD, item_id=f"d-{number}", crop=JPEG, review=SAMPLE)
        if number % 3 == 0:
            item = replace(item, review=DOUBTFUL_SAMPLE, label=UNKNOWN, bin=MANUAL)
        rows.append(item)
        rows.append(replace(RECORD, item_id=f"q-{number}", review="" if number % 3 else NEAR))
    with Store(path) as store:
        store.append(rows)
    return path


def answer(path, count: int, first: int = 0, **given) -> None:
    with ReviewStore(path) as reviews:
        for number in range(first, first + count):
            reviews.give(f"d-{number}", by="anna", at=2e9, **given)


def test_only_what_was_drawn_is_used_and_each_answer_has_its_place(path):
    answer(path, 70, label="Battery")
    answer(path, 35, first=70, label="Mouse")
    answer(path, 5, first=105, no_class=NoClass.OTHER)
    answer(path, 3, first=110, label="Toaster")
    answer(path, 4, first=113, no_class=NoClass.SEVERAL_ITEMS)
    with ReviewStore(path) as reviews:
        for number in range(0, 120, 3):  # chosen for a doubt: biased
            reviews.give(f"q-{number}", label="Mouse", by="anna", at=2e9)
    with Store(path, read_only=True) as store:
        drawn = drawn_items(store, ALWAYS)
        require_reviewed(drawn)
        found = classify_items(store, drawn, LABELS, predict)
    assert (len(drawn.answered), drawn.waiting) == (117, 3)
    assert np.bincount(found.items.known.classes).tolist() == [70, 35]
    assert (len(found.items.others.logits), found.left_out, found.unreadable) == (8, 4, 0)
    assert found.since == found.until == RECORD.decided_at


def test_what_is_missing_is_named_with_its_number(path):
    with Store(path, read_only=True) as store:
        with pytest.raises(BadInput, match=r"120 of 120 items .* wait for review"):
            require_reviewed(drawn_items(store, ALWAYS))
        with pytest.raises(BadInput, match="no item was drawn"):
            require_reviewed(drawn_items(store, Period(0.0, 1.0)))
    answer(path, 60, label="Battery")
    answer(path, 55, first=60, no_class=NoClass.NO_ITEM)
    with Store(path, read_only=True) as store:
        drawn = drawn_items(store, ALWAYS)
        require_reviewed(drawn)
        with pytest.raises(BadInput, match=rf"{LEAST_ITEMS - 60} of {LEAST_ITEMS} are missing"):
            classify_items(store, drawn, LABELS, predict)


def test_a_crop_that_is_no_picture_is_left_out_and_counted(path, tmp_path):
    answer(path, 120, label="Battery")
    bad = {"crop": b"\xff\xd8 no picture", "review": SAMPLE, "reviewed": "Battery"}
    with Store(path) as store:
        store.append([replace(RECORD, item_id=f"bad-{number}", **bad) for number in range(2)])
    with Store(path, read_only=True) as store:
        found = classify_items(store, drawn_items(store, ALWAYS), LABELS, predict)
    assert found.unreadable == 2 and len(found.items.known.classes) == 120


def test_a_draw_without_the_doubtful_is_refused(tmp_path):
    items = [replace(RECORD, item_id=f"s-{number}", review=SAMPLE) for number in range(60)]
    items += [replace(RECORD, item_id=f"u-{number}", review=UNSURE) for number in range(90)]
    with Store(tmp_path / "records.db") as store:
        store.append(items)
        with pytest.raises(BadInput, match="0 of the 90 items in doubt were drawn"):
            drawn_items(store, ALWAYS)
