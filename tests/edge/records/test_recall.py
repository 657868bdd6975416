import math
import resource
from dataclasses import replace

import cv2
import numpy as np

from edge.belt.tracker import Extent, TrackedItem
from edge.records.recall import Recall
from tests.support.records import RECORD

NOW, VIEW = 1_700_000_100.0, (-400.0, 400.0)


def picture(shade: int) -> bytes:
    pixels = np.full((60, 80, 3), shade, np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def item(number: int, position_mm: float, offset_mm: float = 0.0) -> TrackedItem:
    along = Extent(position_mm - 50, position_mm + 50, True, True)
    across = Extent(offset_mm - 40, offset_mm + 40, True, True)
    return TrackedItem(number, along, across, 0.0, 0.0, 2, along, 0.0)


def record(number: int, position_mm: float, offset_mm: float = 0.0, **changes):
    values = {
        "item_id": f"run-{number}",
        "decided_at": NOW - 5,
        "position_mm": position_mm,
        "offset_mm": offset_mm,
        "length_mm": 100.0,
        "crop": picture(60 * number),
    }
    return replace(RECORD, **{**values, **changes})


def recognized(recall: Recall, items, views) -> list[bool]:
    """Whether each item is recognized, by a view of a shade; all of them lie in view."""
    pictures = [picture(shade) for shade in views]
    lying = list(zip(items, pictures, strict=True))
    return [recall.recognize(each, view, lying, VIEW) for each, view in lying]


def test_items_that_lay_in_view_are_recognized_once_and_new_ones_are_not():
    recall = Recall([record(2, 5200, 80), record(1, 5000)], NOW)
    lying = [item(1, -100), item(2, 100, 80), item(3, 300, -80)]
    assert recognized(recall, lying, [60, 120, 60]) == [True, True, False]
    assert recognized(recall, lying[:1], [60]) == [False]


def test_one_that_only_looks_alike_is_new():
    recall = Recall([record(2, 5200, 80), record(1, 5000)], NOW)
    assert recognized(recall, [item(1, 100)], [200]) == [False], "looks different"
    assert recognized(recall, [item(1, 100, 60)], [60]) == [False], "lies elsewhere"
    # Were it the first one, the second would have to lie 200 mm upstream.
    assert recognized(recall, [item(1, 100)], [60]) == [False], "its neighbor is missing"


def test_what_was_recorded_long_ago_or_in_the_future_is_not_looked_for():
    for decided_at in (NOW - 3600, NOW + 86_400, math.nan):
        recall = Recall([record(1, 5000, decided_at=decided_at)], NOW)
        assert recognized(recall, [item(1, 0)], [60]) == [False]


def test_one_that_the_belt_brings_back_later_is_recognized_by_its_place():
    recall = Recall([record(2, 5200, 80), record(1, 4700)], NOW)
    assert recognized(recall, [item(2, 100, 80)], [120]) == [True]
    assert recall.recognize(item(3, -400), picture(60), [], VIEW)


def test_on_an_even_belt_of_like_items_none_is_taken_for_its_neighbor():
    """As happened: the first lies across much like the fourth, whose record is waiting."""
    waiting = [record(2, 401, 29), record(1, 226, -106)]
    recall = Recall([replace(each, crop=picture(60)) for each in waiting], NOW)
    lying = [item(1, -322, 37), item(2, -148, -39), item(3, 28, -106), item(4, 202, 29)]
    assert recognized(recall, lying, [60] * 4) == [False, False, True, True]


def test_one_record_among_like_items_is_of_the_one_that_lies_just_as_far_across():
    recall = Recall([record(1, 598, -99)], NOW)
    lying = [item(1, -293, -99), item(2, -116, -93), item(3, 56, -104)]
    assert recognized(recall, lying[::-1], [60] * 3) == [False, False, True]


def test_a_pair_that_lies_like_two_recorded_ones_but_looks_different_is_new():
    """As happened: the second record's item is the first in view, the first has left it."""
    recall = Recall([record(2, 516, -96), record(1, 341, -101)], NOW)
    lying = [item(1, -230, -96), item(2, -55, -81), item(3, 120, -99), item(4, 295, -98)]
    assert recognized(recall, lying, [120, 250, 200, 200]) == [True, False, False, False]


def test_a_corrupted_crop_looks_like_nothing_and_asks_for_no_memory():
    """One byte of a record's crop, and it claims 65,000 points a side: 12 GB to decode."""
    whole = picture(60)
    at, before = whole.index(b"\xff\xc0") + 5, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for size in (b"\xff\x00\xff\x00", b"\x00\x00\x00\x00", b"\x75\x30\x75\x30"):
        corrupted = whole[:at] + size + whole[at + 4 :]
        recall = Recall([record(1, 5000, crop=corrupted)], NOW)
        assert recognized(recall, [item(1, 100)], [60]) == [False]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "KB"
