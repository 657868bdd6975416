"""The file of a ring, as a hostile one may be."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.bundle import read_bundle
from edge.errors import Refused
from edge.update.offer import Offer, Ring, offer_of, parse_offer

GOOD = {
    "bundle": "bundle-0123456789abcdef.zip",
    "name": "november",
    "digest": "0" * 64,
    "created": "2026-11-20T08:00:00Z",
}


def test_what_is_written_is_read_again(tiny_bundle: Path) -> None:
    offer = offer_of(read_bundle(tiny_bundle))
    assert parse_offer(offer.model_dump_json().encode(), "canary.json") == offer
    assert offer.digest.startswith(offer.bundle[7:23]) and Ring.ALL.target == "all.json"


def test_keys_of_later_versions_are_passed_over() -> None:
    assert parse_offer(json.dumps({**GOOD, "wheels": ["a.whl"]}).encode(), "x").name == "november"


@pytest.mark.parametrize(
    "change",
    [
        {"bundle": "../../etc/passwd"},
        {"bundle": "bundle-0123456789abcdef.zip\n"},
        {"digest": "0" * 63},
        {"created": "2026-11-20T08:00:00"},
        {"name": "n" * 256},
        {"created": float("nan")},
    ],
)
def test_a_malformed_one_is_refused_in_one_line(change: dict) -> None:
    with pytest.raises(Refused, match=r"^canary.json: [^\n]+; publish again$"):
        parse_offer(json.dumps({**GOOD, **change}).encode(), "canary.json")


@given(
    st.binary(max_size=200) | st.dictionaries(st.sampled_from([*GOOD]), st.text()).map(json.dumps)
)
def test_any_other_content_is_refused_or_read(content: bytes | str) -> None:
    given = content if isinstance(content, bytes) else content.encode()
    try:
        assert isinstance(parse_offer(given, "canary.json"), Offer)
    except Refused as error:
        assert "\n" not in str(error)
