"""The report of a board is hostile to its reader."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import Refused
from edge.fleet.report import MOST_REPORT_BYTES, BoardReport, parse_report
from tests.support.fleet import report_of

REFUSED = {"at": 1.0, "why": "x"}
WHOLE = json.loads(report_of(refused=REFUSED, page="10.0.0.7:7860").model_dump_json())
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WRONG = {
    "no object": b"[]",
    "no JSON": b"\xff\xfe{",
    "nested": b"[" * 5000,
    "NaN": json.dumps(WHOLE | {"p99_ms": math.nan}).encode(),
    "infinite": json.dumps(WHOLE | {"at": math.inf}).encode(),
    "huge count": json.dumps(WHOLE | {"items": 10**30}).encode(),
    "negative count": json.dumps(WHOLE | {"by_hand": -1}).encode(),
    "other ring": json.dumps(WHOLE | {"ring": "moon"}).encode(),
    "no name": json.dumps(WHOLE | {"board": ""}).encode(),
    "long name": json.dumps(WHOLE | {"board": "x" * 65}).encode(),
    "no digest": json.dumps(WHOLE | {"bundle": {"name": "x", "digest": "../x"}}).encode(),
    "a page elsewhere": json.dumps(WHOLE | {"page": "http://x/:80"}).encode(),
    "too long": b" " * (MOST_REPORT_BYTES + 1),
}


def is_plain(report: BoardReport) -> bool:
    """Whether its texts are one line each that no terminal acts on."""
    texts = [report.board, report.program, report.message]
    texts += [report.newest.why, report.newest.name] if report.newest else []
    return all(text.isprintable() for text in texts)


def test_a_report_comes_back_as_it_was_and_keys_of_later_versions_are_passed_over() -> None:
    sent = report_of(message="the camera is dirty", temperature_c=61.5)
    assert parse_report(sent.model_dump_json(exclude_none=True).encode()) == sent
    later = WHOLE | {"fans": [1, 2], "bundle": WHOLE["bundle"] | {"signed": True}}
    assert parse_report(json.dumps(later).encode()).page == "10.0.0.7:7860"
    assert report_of(items=0, by_hand=0).share_by_hand is None
    assert report_of(items=4, by_hand=1, unknown=2).share_by_hand == 0.25
    assert report_of(items=4, by_hand=9).share_by_hand == 1.0


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_malformed_is_refused_in_one_line(kind: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_report(WRONG[kind])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


def test_markup_and_escapes_become_plain_letters() -> None:
    text = "\x1b[31m[red]\u202eevil\nline"
    report = parse_report(json.dumps(WHOLE | {"board": text, "message": text}).encode())
    assert report.board == report.message == "?[31m[red]?evil line"


@settings(deadline=None)
@given(key=st.sampled_from([*WHOLE, "bundle.name", "newest.why", "newest.standing"]), value=ANY)
def test_any_value_is_read_or_refused(key: str, value: object) -> None:
    content = json.loads(json.dumps(WHOLE))
    *outer, last = key.split(".")
    (content[outer[0]] if outer else content)[last] = value
    try:
        report = parse_report(json.dumps(content).encode("utf-8", "surrogatepass"))
    except Refused as error:
        assert "\n" not in str(error)
    else:
        assert is_plain(report) and math.isfinite(report.at)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    try:
        parse_report(payload)
    except Refused as error:
        assert "\n" not in str(error)
