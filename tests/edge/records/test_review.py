from dataclasses import replace

import pytest

from edge.labels import MANUAL, UNKNOWN
from edge.records.review import (
    DOUBTFUL_SAMPLE,
    NEAR,
    SAMPLE,
    SUSPECTED,
    UNSURE,
    reviewer,
    why_review,
)
from edge.verdict import Reason
from tests.support.records import RECORD


@pytest.mark.parametrize(
    ("changes", "drawn", "why"),
    [
        ({}, 0.5, ""),
        ({}, 0.005, SAMPLE),
        ({"label": UNKNOWN, "confidence": 0.3, "bin": MANUAL}, 0.5, UNSURE),
        ({"label": UNKNOWN, "confidence": 0.3, "bin": MANUAL}, 0.005, DOUBTFUL_SAMPLE),
        ({"confidence": 0.55}, 0.5, NEAR),
        ({"confidence": 0.55}, 0.005, DOUBTFUL_SAMPLE),
        ({"bin": MANUAL}, 0.5, SUSPECTED),
        ({"bin": MANUAL, "late": True}, 0.5, ""),
        ({"label": UNKNOWN, "crop": b""}, 0.0, ""),
        ({"label": UNKNOWN, "confidence": 0.0, "reason": Reason.TOUCHING}, 0.0, ""),
    ],
)
def test_what_is_doubtful_and_a_random_share_is_looked_at(changes, drawn, why):
    record = replace(RECORD, confidence=0.97, bin="hazardous")
    assert why_review(replace(record, **changes), 0.5, 0.1, 0.01, drawn) == why


def test_the_share_is_kept_over_many_items():
    review = reviewer({RECORD.label: 0.5}, margin=0.1, share=0.2)
    assert 300 < sum(review(RECORD) == SAMPLE for _ in range(2000)) < 500
