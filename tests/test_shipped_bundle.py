"""The bundle that ships: it proves itself here, and its figures are what its manifest says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.accuracy import evaluate, labeled_photos, opened
from edge.bundle.bundle import DEFAULT_BUNDLE, load_bundle, open_classifier
from edge.bundle.golden import verify_golden

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("EWASTE_SHARED", ROOT.parent / "shared"))
PHOTOS = SHARED / "data" / "ewaste"


def test_the_shipped_bundle_proves_itself_on_this_machine():
    bundle = load_bundle(DEFAULT_BUNDLE)
    check = verify_golden(bundle, open_classifier(bundle))
    assert check.inputs == 32
    manifest = bundle.manifest
    assert manifest.parity.gate.agreement >= 0.985
    assert manifest.hazards == ("Battery",)
    assert manifest.float_layers == () and manifest.activation_map is not None


@pytest.mark.slow
def test_a_drawn_belt_is_counted_and_named_by_it():
    """What it names is right as often as its manifest says; the rest it leaves to a person.

    By hand goes a little more than the sixth of the model card: what looks like two items, too.
    """
    command = [sys.executable, "-m", "edge.cli", "simulate", "--items", "150", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    score = json.loads(done.stdout)
    assert (score["counted"], score["missed"], score["duplicates"], score["false_positives"]) == (
        150,
        0,
        0,
        0,
    )
    assert score["hazards"] >= 15 and score["hazard_leaks"] == 0
    drawn = load_bundle(DEFAULT_BUNDLE).manifest.parity.datasets["drawn"]
    assert score["right"] / (score["right"] + score["wrong"]) >= drawn.accuracy_quantized
    assert score["unknown"] <= 150 / 5


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photos are not on this machine")
def test_its_accuracy_on_the_photos_is_what_its_manifest_says():
    parity = load_bundle(DEFAULT_BUNDLE).manifest.parity
    claimed = parity.datasets["ewaste"]
    each = []
    for split in parity.split.split("+"):
        bundle, variants = opened(DEFAULT_BUNDLE, [])
        each.append(evaluate(bundle, variants, labeled_photos(PHOTOS / split, bundle.labels)))
    right = sum(figures["accuracy"] * figures["images"] for figures in each)
    # Without bit-exact XNNPACK, as on other processors, a photo or two may change sides.
    assert right / claimed.images == pytest.approx(
        claimed.accuracy_quantized, abs=2 / claimed.images
    )
    assert sum(figures["images"] for figures in each) == claimed.images
