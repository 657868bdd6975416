"""Manifests that the last version wrote are still read."""

import hashlib
import json

import pytest

from edge.bundle.bundle import DEFAULT_BUNDLE, load_bundle
from edge.bundle.format_1 import to_format_2
from edge.bundle.manifest import parse_manifest
from edge.errors import Refused


def test_shipped_bundle_is_of_format_1_and_is_read_as_format_2():
    sealed = (DEFAULT_BUNDLE / "manifest.json").read_bytes()
    written = json.loads(sealed)
    bundle = load_bundle(DEFAULT_BUNDLE)
    assert written["format"] == 1 and bundle.manifest.format == 2
    assert bundle.digest == hashlib.sha256(sealed).hexdigest()
    assert bundle.manifest.hazard_thresholds == written["hazard_suspicion"]
    assert bundle.manifest.input.color == "RGB"
    assert bundle.manifest.unknown is not None
    assert bundle.manifest.unknown.score == "neighbors"
    parity = written["parity"]
    assert bundle.manifest.parity.accuracy_quantized == parity["accuracy_quantised"]
    assert bundle.manifest.parity.classes["Mouse"].right_quantized == 85


def test_labels_are_no_keys():
    """A class may be called like a key that was renamed."""
    old = {"format": 1, "thresholds": {"colour": 0.5}, "bins": {"unknown": ["colour"]}}
    new = to_format_2(old)
    assert new["thresholds"] == {"colour": 0.5} and new["bins"] == {"unknown": ["colour"]}


@pytest.mark.parametrize("odd", [None, [], "format", {"format": 1}, {"format": 1, "parity": []}])
def test_odd_manifests_are_refused_in_one_line(odd, tmp_path):
    with pytest.raises(Refused) as refused:
        parse_manifest(tmp_path, json.dumps(odd).encode())
    assert "\n" not in str(refused.value)


def test_format_2_with_keys_of_format_1_is_refused(tmp_path):
    written = json.loads((DEFAULT_BUNDLE / "manifest.json").read_bytes())
    with pytest.raises(Refused):
        parse_manifest(tmp_path, json.dumps({**written, "format": 2}).encode())
