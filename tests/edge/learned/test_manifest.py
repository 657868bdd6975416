"""The manifest of a generation: strict, and one line whatever it is made of."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import Refused
from edge.learned.manifest import MANIFEST, LearnedManifest, parse_learned
from tests.support.learned import contents_of, learned

WHERE = Path(MANIFEST)


def sealed(*labels: str) -> LearnedManifest:
    manifest = learned(*labels)
    digests = dict.fromkeys(contents_of(manifest), "b" * 64)
    return manifest.model_copy(update={"files": digests})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for labels in ((), ("Phone",), ("Phone", "Ribbon")):
        manifest = sealed(*labels)
        assert parse_learned(WHERE, manifest.as_json) == manifest


WRONG = {
    "base": "A" * 64,
    "format": 1,
    "created": "yesterday",
    "classes.0.label": "unknown",
    "classes.0.bin": "manual",
    "classes.0.hazard": 1,
    "classes.0.least": 1.5,
    "classes.0.slope": 0.0,
    "classes.0.offset": float("nan"),
    "classes.0.threshold": "0.5",
    "classes.0.crops": [],
    "classes.1.label": "phone",
    "calibration.temperature": 0.0,
    "files": {},
    "more": 1,
}


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_value_is_named(key: str) -> None:
    changed = json.loads(sealed("Phone", "Ribbon").as_json)
    *path, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    place = changed
    for part in path:
        place = place[part]
    place[last] = WRONG[key]
    with pytest.raises(Refused) as caught:
        parse_learned(WHERE, json.dumps(changed).encode())
    message = str(caught.value)
    assert message.startswith(MANIFEST) and "\n" not in message and len(message) < 700


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[" * 100_000, b'{"format": 1, "format": 1}', b"null", b"1e999"]
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        parse_learned(WHERE, content)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
KEYS = sorted(json.loads(sealed("Phone").as_json))


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(KEYS), value=SHAPES, cut=st.integers(0, 400), shortened=st.booleans())
def test_any_other_content_is_one_line(key: str, value: object, cut: int, shortened: bool) -> None:
    changed = json.loads(sealed("Phone").as_json) | {key: value}
    content = json.dumps(changed).encode()
    if shortened:
        content = content[:cut] + content[cut + 1 :]
    try:
        parse_learned(WHERE, content)
    except Refused as refused:
        assert "\n" not in str(refused)
