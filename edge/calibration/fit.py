"""Fit all that answers are decided by: on the workstation to val, on a device to reviewed items."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from edge.bundle.manifest import DecisionParameters
from edge.calibration.answers import LabeledAnswers
from edge.calibration.costs import Costs
from edge.calibration.ood_limit import with_fitted_limit
from edge.calibration.temperature import fit_temperature
from edge.calibration.thresholds import fit_decisions
from edge.inference.ood import OodDetector


def fit_parameters(
    *,
    labels: tuple[str, ...],
    hazards: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    detector: OodDetector | None,
    costs: Costs,
    turned: Mapping[str, LabeledAnswers] = MappingProxyType({}),
) -> DecisionParameters:
    """Fit temperature, OOD limit, thresholds, and hazard thresholds, each given those before it.

    The same answers give the same parameters, to the last bit, on the workstation and on a device
    whose numpy computes alike.

    Args:
        labels: the classes, in the order of the logits.
        hazards: those that must reach no other bin.
        views: condition -> known items under it; `photographed` and perhaps others. The
            temperature is fitted to `photographed` alone.
        detector: of out-of-distribution things; its threshold does not matter. None: there is none.
        costs: of wrong decisions.
        turned: condition -> the same items at any angle, for the hazard thresholds alone.
    """
    photographed = views["photographed"]
    temperature = fit_temperature(photographed.answers.logits, photographed.classes)
    fitted = None if detector is None else with_fitted_limit(detector, views)
    thresholds, hazard_thresholds = fit_decisions(
        labels,
        hazards,
        views,
        turned=turned,
        detector=fitted,
        temperature=temperature,
        costs=costs,
    )
    return DecisionParameters(
        labels=labels,
        hazards=tuple(hazards),
        temperature=temperature,
        thresholds=thresholds,
        hazard_thresholds=hazard_thresholds,
        unknown=None if fitted is None else fitted.rule,
    )
