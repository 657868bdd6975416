"""Trying a picture with the bundle on the device."""

import numpy as np
import pytest
from PIL import Image

from edge.bundle.bundle import load_bundle
from edge.bundle.manifest import MODEL
from edge.bundle.signature import make_key
from edge.bundle.verify import Verification
from edge.config import TrustConfig
from edge.decision.decide import DecisionRules
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.classifier import Prediction
from edge.panel.trial import Trial


def rules(bundle) -> DecisionRules:
    return DecisionRules(
        bundle.labels, {"Mouse": "small"}, dict.fromkeys(bundle.labels, 0.5), {"Battery": 0.2}
    )


def classify(view: np.ndarray) -> Prediction:
    """Brightness decides, so that the answer depends on the picture."""
    mouse = view.mean() / 255
    probabilities = np.array([0.0, mouse, 1 - mouse], np.float32)
    return Prediction(probabilities, probabilities, np.zeros(2048, np.float32))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("L", (40, 30), 204).save(path)
    return path.read_bytes()


def test_a_picture_gets_classes_and_a_verdict(bundle, picture):
    answer = Trial(bundle.path, rules, classify)(picture)
    assert answer.probabilities == pytest.approx(
        dict(zip(bundle.labels, (0, 0.8, 0.2), strict=True))
    )
    assert (answer.verdict.label, answer.verdict.bin) == ("Mouse", "small")
    assert "80%" in answer.verdict.detail


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 broken"])
def test_a_bad_file_gets_one_line(bundle, content):
    with pytest.raises(BadInput, match="not a readable picture") as caught:
        Trial(bundle.path, rules, classify)(content)
    assert "\n" not in str(caught.value)


def test_a_bundle_that_cannot_be_used_is_reported_each_time(tmp_path, picture, make_bundle):
    trial = Trial(tmp_path / "bundle", rules)
    with pytest.raises(BadInput, match="not a bundle"):
        trial(picture)
    bundle = make_bundle(tmp_path / "bundle")
    with pytest.raises(Refused, match="not a model this runtime can load"):
        trial(picture)
    (bundle.path / MODEL).write_bytes(b"altered")
    with pytest.raises(EwasteError, match="altered"):
        trial(picture)


def test_the_model_is_loaded_again_when_the_bundle_changes(
    tmp_path, picture, make_bundle, monkeypatch
):
    opened = []

    class FakeClassifier:
        predict = staticmethod(classify)

    def verified(path, keys, threads, demands):
        bundle = load_bundle(path)
        opened.append((bundle.manifest.name, threads))
        return Verification(path, [], bundle, FakeClassifier())

    monkeypatch.setattr("edge.panel.trial.verify", verified)
    trial = Trial(make_bundle(tmp_path / "bundle", "first").path, rules)
    assert opened == [], "not before it is needed"
    trial(picture), trial(picture)
    make_bundle(tmp_path / "bundle", "second")
    trial(picture)
    assert opened == [("first", 1), ("second", 1)]


def test_the_bundles_own_model_answers(tiny_bundle, drawn_data):
    def own_bins(bundle) -> DecisionRules:
        bins = {label: label.lower() for label in bundle.labels}
        return DecisionRules(bundle.labels, bins, dict.fromkeys(bundle.labels, 0.0), {})

    trial = Trial(tiny_bundle, own_bins)
    for label in ("Battery", "Keyboard"):
        pictures = sorted((drawn_data / "train" / label).iterdir())[:5]
        answers = [trial(picture.read_bytes()) for picture in pictures]
        assert sum(answer.verdict.label == label for answer in answers) >= 3
        assert all(sum(answer.probabilities.values()) == pytest.approx(1) for answer in answers)


def test_only_a_bundle_that_a_trusted_key_signed_is_tried(bundle, picture, tmp_path):
    trust = TrustConfig(keys=(make_key(tmp_path / "line.key"),))
    for given in (classify, None):
        with pytest.raises(Refused, match="signed by a trusted key"):
            Trial(bundle.path, rules, given, trust)(picture)
