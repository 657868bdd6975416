"""Manifests that the last version wrote are still read."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from edge.bundle.bundle import load_bundle
from edge.bundle.format_1 import KEYS, to_format_2
from edge.bundle.manifest import parse_manifest
from edge.errors import Refused

SHIPPED = Path(__file__).parents[2] / "data" / "format-1-manifest.json"
"""Of the bundle that shipped with the program until November 2026."""
OLD = {
    '"format": 2': '"format": 1',
    '"neighbors"': '"neighbours"',
    **{f'"{new}"': f'"{old}"' for old, new in KEYS.items()},
}


def test_a_shipped_manifest_of_format_1_is_read_as_format_2():
    sealed = SHIPPED.read_bytes()
    written = json.loads(sealed)
    manifest = parse_manifest(SHIPPED, sealed)
    assert written["format"] == 1 and manifest.format == 2
    assert manifest.hazard_thresholds == written["hazard_suspicion"]
    assert manifest.input.color == "RGB"
    assert manifest.unknown is not None
    assert manifest.unknown.score == "neighbors"
    assert manifest.parity.accuracy_quantized == written["parity"]["accuracy_quantised"]
    assert manifest.parity.classes["Mouse"].right_quantized == 85


def test_a_bundle_of_format_1_keeps_its_digest(tiny_bundle, tmp_path):
    path = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, path)
    text = (path / "manifest.json").read_text()
    for new, old in OLD.items():
        text = text.replace(new, old)
    (path / "manifest.json").write_text(text)
    bundle = load_bundle(path)
    assert bundle.manifest == load_bundle(tiny_bundle).manifest
    assert bundle.digest == hashlib.sha256(text.encode()).hexdigest()


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
    written = json.loads(SHIPPED.read_bytes())
    with pytest.raises(Refused):
        parse_manifest(tmp_path, json.dumps({**written, "format": 2}).encode())
