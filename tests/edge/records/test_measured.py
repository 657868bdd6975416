"""What is measured on reviewed items: of the random share, and apart from it."""

import random
from dataclasses import replace

import pytest

from edge.intervals import wilson
from edge.records.measured import Answer, Share, bundles, looks_wrong, measured
from edge.records.review import SAMPLE, UNSURE
from edge.records.store import Store
from tests.support.records import RECORD

GIVEN = [  # label of the model, why it was chosen, label of a person, why none
    ("Battery", SAMPLE, "Battery", ""),
    ("Battery", SAMPLE, "Battery", ""),
    ("Battery", SAMPLE, "Mouse", ""),
    ("Mouse", SAMPLE, "", "other"),
    ("Mouse", SAMPLE, "other", ""),
    ("unknown", UNSURE, "Mouse", ""),
    ("Battery", "", "Battery", ""),
    ("Battery", SAMPLE, "", ""),
    ("unknown", UNSURE, "", ""),
]


def record(number: int, given: tuple[str, str, str, str], **changes):
    label, review, reviewed, no_class = given
    return replace(
        RECORD,
        item_id=f"i-{number}",
        label=label,
        review=review,
        reviewed=reviewed,
        no_class=no_class,
        **changes,
    )


def test_only_reviewed_items_count_and_the_random_share_apart(tmp_path):
    with Store(tmp_path / "records.db") as store:
        assert measured(store)[0].accuracy == Share(0, 0) and bundles(store) == []
        store.append([record(number, given) for number, given in enumerate(GIVEN)])
        store.append([record(99, GIVEN[0], bundle="other")])
        sample, others = measured(store, RECORD.bundle)
        assert sample.cells == {
            (Answer("", "Battery"), "Battery"): 2,
            (Answer("", "Mouse"), "Battery"): 1,
            (Answer("other", ""), "Mouse"): 1,
            (Answer("", "other"), "Mouse"): 1,
        }, "a class called other is not the answer Other"
        assert sample.accuracy == Share(2, 5) and sample.accuracy.interval == wilson(2, 5)
        assert sample.recall()[Answer("", "Battery")] == Share(2, 2)
        assert others.accuracy == Share(1, 2)
        assert measured(store)[0].accuracy == Share(3, 6)
        assert bundles(store) == ["other", RECORD.bundle], "that of the newest item first"
        plan = store.read(
            "EXPLAIN QUERY PLAN SELECT 1 FROM items WHERE (reviewed <> '' OR no_class <> '')"
        )
        assert "items_reviewed" in str(plan), "no walk over all records"


def test_the_surest_disagreement_comes_first(tmp_path):
    wrong = ("Battery", SAMPLE, "Mouse", "")
    with Store(tmp_path / "records.db") as store:
        store.append([record(n, wrong, confidence=c) for n, c in enumerate((0.7, 0.99, 0.8))])
        store.append([record(7, ("unknown", UNSURE, "Mouse", ""), confidence=0.999)])
        store.append([record(8, ("Mouse", SAMPLE, "", "no_item"), confidence=0.9)])
        store.append([record(9, ("Mouse", SAMPLE, "Mouse", ""), confidence=1.0)])
        found = [each.record.item_id for each in looks_wrong(store, count=9)]
        assert found == ["i-1", "i-8", "i-2", "i-0"]
        assert len(looks_wrong(store, count=2)) == 2


@pytest.mark.parametrize("seed", range(5))
def test_planted_wrong_labels_lead_the_list(tmp_path, seed):
    """Of 2,000 labels 5 % are wrong; the model, right as often as it is sure, errs in 4 %."""
    draw, labels, planted, rows = random.Random(seed), "ABCDEFGHIJ", set(), []
    for number in range(2000):
        truth, confidence = draw.choice(labels), draw.betavariate(24, 1)
        verdict = truth if draw.random() < confidence else draw.choice(labels.replace(truth, ""))
        given = truth
        if draw.random() < 0.05:
            given = draw.choice(labels.replace(truth, ""))
            planted.add(f"i-{number}")
        rows.append(record(number, (verdict, SAMPLE, given, ""), confidence=confidence))
    with Store(tmp_path / "records.db") as store:
        store.append(rows)
        first = {each.record.item_id for each in looks_wrong(store, count=200)}
    assert len(planted & first) >= 0.8 * len(planted)
