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
from edge.inference.classifier import Prediction
from edge.panel.picture import UNREADABLE, check_picture
from edge.photos.reading import decode_photo
from edge.verdict import Verdict

FULL_MEGAPIXELS = 2.0
"""Larger pictures are reduced while they are decoded; the model needs far fewer pixels."""

Classify = Callable[[np.ndarray], Prediction]
"""Turns a view, uint8 RGB [height, width, 3], into a Prediction."""


@dataclass(frozen=True)
class TrialAnswer:
    """The bundle's answer to a picture.

    Attributes:
        probabilities: per label, 0 to 1.
        verdict: the decision by this one view.
        hazards: the labels that are hazards.
    """

    probabilities: dict[str, float]
    verdict: Verdict
    hazards: tuple[str, ...] = ()


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
            prediction = judge.classify(pixels)
        probabilities = zip(judge.rules.labels, map(float, prediction.probabilities), strict=True)
        return TrialAnswer(dict(probabilities), decide([prediction], judge.rules), judge.hazards)

    def _opened(self) -> "_Judge":
        """Return the judge of the bundle; a new bundle is verified as a line verifies it."""
        path, trust = self._bundle_path, self._trust
        if self._given is not None:
            bundle = load_bundle(path, trust.keys)
            return _Judge(self._given, self._rules(bundle), bundle.manifest.hazards)
        if self._loaded is None or self._loaded[0] != read_bundle(path).digest:
            self._loaded = None  # one model at a time
            # One thread: the line on the same device comes first.
            verified = verify(path, trust.keys, threads=1, demands=trust.demands)
            bundle, classifier = verified.require()
            # Not the bundle itself: it holds all of its files.
            judge = _Judge(classifier.predict, self._rules(bundle), bundle.manifest.hazards)
            self._loaded = bundle.digest, judge
        return self._loaded[1]


@dataclass(frozen=True)
class _Judge:
    classify: Classify
    rules: DecisionRules
    hazards: tuple[str, ...]
