"""Try one picture with the device's bundle."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle.bundle import Bundle, load_bundle, read_bundle
from edge.bundle.verify import verify
from edge.config import TrustConfig
from edge.decision.decide import DecisionRules, decide
from edge.errors import BadInput
from edge.inference.classifier import Classifier, Prediction
from edge.inference.preprocess import model_input
from edge.panel.overlay import ClassOverlay, draw_overlays
from edge.panel.picture import UNREADABLE, check_picture
from edge.photos.reading import decode_photo
from edge.verdict import Verdict

FULL_MEGAPIXELS = 2.0
"""Larger pictures are reduced while they are decoded; the model needs far fewer pixels."""

Classify = Callable[[np.ndarray], Prediction]
"""Turns a view, uint8 RGB [height, width, 3], into a Prediction."""
ClassifyWithMap = Callable[[np.ndarray], tuple[Prediction, np.ndarray | None]]
"""The same with the activation map, float32 [h, w, classes]; None where there is none."""


@dataclass(frozen=True)
class Likeness:
    """How much a picture is like the known classes.

    Attributes:
        name: of the out-of-distribution score.
        score: greater for what is more like them.
        threshold: a picture that scores less is out of distribution.
    """

    name: str
    score: float
    threshold: float


@dataclass(frozen=True)
class TrialAnswer:
    """The bundle's answer to a picture.

    Attributes:
        probabilities: per label, 0 to 1.
        verdict: the decision by this one view.
        hazards: the labels that are hazards.
        likeness: to the known classes; None where only thresholds decide on that.
        overlays: label -> where the model looked, for the most likely classes; empty: the map is
            not of numbers; None: the bundle has none.
    """

    probabilities: dict[str, float]
    verdict: Verdict
    hazards: tuple[str, ...] = ()
    likeness: Likeness | None = None
    overlays: dict[str, ClassOverlay] | None = None


class Trial:
    """The bundle's classifier, loaded for the first picture and again when the bundle changes."""

    def __init__(
        self,
        bundle_path: Path,
        rules: Callable[[Bundle], DecisionRules],
        classify: Classify | None = None,
        trust: TrustConfig = TrustConfig(),
    ) -> None:
        """Set up; nothing is loaded yet.

        Args:
            bundle_path: the directory of the bundle.
            rules: the decision rules for a bundle.
            classify: replaces the bundle's own model.
            trust: which bundles are accepted, as for a line.
        """
        self._bundle_path, self._rules, self._given = bundle_path, rules, classify
        self._trust = trust
        self._lock = threading.Lock()
        self._loaded: tuple[str, _Judge] | None = None

    def __call__(self, content: bytes) -> TrialAnswer:
        """Classify a picture and decide on it; safe to call from several threads.

        Args:
            content: the file of the picture.

        Raises:
            BadInput: not a readable JPEG, PNG, WebP or BMP, or too large.
            EwasteError: the bundle cannot be used.
        """
        kind = check_picture(content).kind
        with self._lock:
            judge = self._opened()  # first: its files and the pixels need not be there at once
            try:
                pixels = decode_photo(content, (kind,), full_megapixels=FULL_MEGAPIXELS)
            except BadInput:
                raise BadInput(UNREADABLE) from None
            prediction, activation_map = judge.classify(pixels)
        rules = judge.rules
        probabilities = dict(zip(rules.labels, map(float, prediction.probabilities), strict=True))
        overlays = None
        if activation_map is not None:
            overlays = draw_overlays(activation_map, probabilities, *pixels.shape[:2])
        return TrialAnswer(
            probabilities,
            decide([prediction], rules),
            judge.hazards,
            _likeness(prediction, rules),
            overlays,
        )

    def _opened(self) -> "_Judge":
        """Return the judge of the bundle; a new bundle is verified as a line verifies it."""
        path, trust = self._bundle_path, self._trust
        if self._given is not None:
            bundle = load_bundle(path, trust.keys)
            given = self._given
            return _Judge(
                lambda view: (given(view), None), self._rules(bundle), bundle.manifest.hazards
            )
        if self._loaded is None or self._loaded[0] != read_bundle(path).digest:
            self._loaded = None  # one model at a time
            # One thread: the line on the same device comes first.
            verified = verify(path, trust.keys, threads=1, demands=trust.demands)
            bundle, classifier = verified.require()
            # Not the bundle itself: it holds all of its files.
            classify = _with_map(classifier, bundle.manifest.activation_map is not None)
            judge = _Judge(classify, self._rules(bundle), bundle.manifest.hazards)
            self._loaded = bundle.digest, judge
        return self._loaded[1]


def _with_map(classifier: Classifier, declared: bool) -> ClassifyWithMap:
    """Classify a view, with the map if the manifest declares one."""
    if declared:
        return lambda view: classifier.predict_with_map(model_input(view, classifier.size))
    return lambda view: (classifier.predict(view), None)


def _likeness(prediction: Prediction, rules: DecisionRules) -> Likeness | None:
    """What the out-of-distribution detector says; None if there is none, or no number."""
    detector = rules.ood_detector
    if detector is None:
        return None
    (score,) = detector.score(prediction.logits[np.newaxis], prediction.embedding[np.newaxis])
    if not np.isfinite(score):
        return None
    return Likeness(detector.rule.score, float(score), detector.rule.threshold)


@dataclass(frozen=True)
class _Judge:
    classify: ClassifyWithMap
    rules: DecisionRules
    hazards: tuple[str, ...]
