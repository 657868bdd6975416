"""The score from which an item is like the known classes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edge.calibration.answers import LabeledAnswers
from edge.inference.ood import OodDetector

OOD_KEPT_SHARE = 0.95
"""Share of the known items that the OOD detector keeps."""
KEPT_IN = ("photographed", "belt")
"""The conditions in each of which it keeps them."""


def threshold_keeping(known: np.ndarray, share: float = OOD_KEPT_SHARE) -> float:
    """The greatest threshold that at least `share` of the known items reach."""
    kept = int(np.ceil(share * len(known) - 1e-9))
    return float(np.sort(known)[len(known) - kept])


def with_fitted_limit(detector: OodDetector, views: Mapping[str, LabeledAnswers]) -> OodDetector:
    """The detector with the threshold that keeps `OOD_KEPT_SHARE` in each of `KEPT_IN`.

    Args:
        detector: with any threshold.
        views: condition -> known items under it; `photographed` at least.
    """
    threshold = min(
        threshold_keeping(detector.score(each.answers.logits, each.answers.embeddings))
        for way, each in views.items()
        if way in KEPT_IN
    )
    return replace(detector, rule=detector.rule.model_copy(update={"threshold": threshold}))
