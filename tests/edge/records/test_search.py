"""All records are found, whatever the filters and however the search is cut into pages."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.records import search as searching
from edge.records.review import SAMPLE
from edge.records.search import Criteria, ReviewState, choices, find_item, search
from edge.records.store import Store
from edge.verdict import Reason
from tests.support.records import RECORD

LABELS, BINS = ["Battery", "Mouse", "unknown"], ["hazard", "small", "manual"]
REASONS = [Reason.SORTED, Reason.UNSURE]


def made(count: int) -> list:
    draw = random.Random(7)
    return [
        replace(
            RECORD,
            item_id=f"i-{number}",
            decided_at=1000.0 + draw.randint(-3, 3) + number,
            label=draw.choice(LABELS),
            bin=draw.choice(BINS),
            reason=draw.choice(REASONS),
            confidence=draw.choice([0.2, 0.5, 0.9, math.nan]),
            review=draw.choice(["", SAMPLE]),
            reviewed=draw.choice(["", "", "Mouse"]),
            no_class=draw.choice(["", "", "", "other"]),
            crop=draw.choice([b"", RECORD.crop]),
        )
        for number in range(count)
    ]


RECORDS = made(130)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("search") / "records.db"
    with Store(path) as store:
        store.append(RECORDS)
    with Store(path, read_only=True) as store:
        yield store


def fits(record, criteria: Criteria) -> bool:
    """The same by the words of the documentation."""
    reviewed = bool(record.reviewed or record.no_class)
    states = {
        None: True,
        ReviewState.REVIEWED: reviewed,
        ReviewState.WAITING: bool(record.review) and not reviewed,
        ReviewState.NOT_CHOSEN: not record.review and not reviewed,
    }
    return (
        criteria.label in (None, record.label)
        and criteria.bin in (None, record.bin)
        and criteria.reason in (None, record.reason)
        and (criteria.since is None or record.decided_at >= criteria.since)
        and (criteria.until is None or record.decided_at <= criteria.until)
        and (criteria.least is None or record.confidence >= criteria.least)
        and (criteria.most is None or record.confidence <= criteria.most)
        and states[criteria.state]
    )


CRITERIA = st.builds(
    Criteria,
    label=st.sampled_from([None, *LABELS, "<script>", "' OR 1=1 --"]),
    bin=st.sampled_from([None, *BINS]),
    reason=st.sampled_from([None, *REASONS]),
    since=st.none() | st.floats(990, 1140),
    until=st.none() | st.floats(990, 1140),
    least=st.sampled_from([None, 0.0, 0.5]),
    most=st.sampled_from([None, 0.5, 1.0]),
    state=st.sampled_from([None, *ReviewState]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CRITERIA, st.integers(1, 40), st.sampled_from([7, 1000]), st.sampled_from([60.0, -1.0]))
def test_older_pages_hold_all_that_fits_once_and_newer_ones_lead_back(
    store, criteria, count, block, longest_s
):
    searching.BLOCK, kept = block, searching.BLOCK
    try:
        expected = [record.item_id for record in reversed(RECORDS) if fits(record, criteria)]
        page, found = search(store, criteria, count=count, longest_s=longest_s), []
        assert page.newer is None
        while True:
            found += [each.record.item_id for each in page.found]
            assert len(page.found) <= count
            if page.older is None:
                break
            page = search(store, criteria, count=count, before=page.older, longest_s=longest_s)
        assert found == expected
        back = [each.record.item_id for each in page.found]
        while page.newer is not None:
            page = search(store, criteria, count=count, after=page.newer, longest_s=longest_s)
            back = [each.record.item_id for each in page.found] + back
        assert back == expected
    finally:
        searching.BLOCK = kept


def test_a_search_says_when_its_time_was_over(store, monkeypatch):
    monkeypatch.setattr(searching, "BLOCK", 10)
    page = search(store, Criteria(label="absent"), count=5, longest_s=-1.0)
    assert page.ended_early and not page.found and page.older == 121
    page = search(store, Criteria(label="absent"), count=5)
    assert not page.ended_early and page.older is None


def test_one_item_is_found_with_or_without_its_crop(store):
    for record in RECORDS[:9]:
        found = find_item(store, record.item_id)
        assert found is not None and found.has_crop == bool(record.crop)
        assert found.record.crop == b"" and found.record.detail == record.detail
    assert find_item(store, "nobody") is None
    assert choices(store) == (sorted(LABELS), sorted(BINS))


def test_an_empty_file_has_no_pages(tmp_path):
    with Store(tmp_path / "records.db") as store:
        page = search(store, Criteria(), count=5)
        assert (page.found, page.newer, page.older) == ((), None, None)
        assert choices(store) == ([], [])
