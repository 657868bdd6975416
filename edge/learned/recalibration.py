"""Fit the decision parameters of a bundle to a site, by items of it whose class is known: pure.

The items must be a fair sample of all items (`edge.records.drawn`). What came out is judged by
cross-validation: each item by parameters that were fitted without it.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from edge.bundle.manifest import DecisionParameters
from edge.calibration.answers import Answers, LabeledAnswers
from edge.calibration.costs import Costs
from edge.calibration.fit import fit_parameters
from edge.calibration.outcome import SiteOutcome, SitePart, outcome_of
from edge.calibration.thresholds import MAX_HAZARD_MISS_RATE, fit_hazard_thresholds
from edge.inference.ood import OodDetector

LEAST_ITEMS = 100
"""Fewer items of a known class are not enough for a temperature and an OOD limit."""
LEAST_OF_CLASS = 20
"""Fewer items that are taken for a class are not enough for its threshold."""
LEAST_OF_HAZARD = math.ceil(1 / MAX_HAZARD_MISS_RATE) - 1
"""With fewer, floor(rate * (n + 1)) is 0: no order statistic bounds the miss rate. Then nothing
that keeps the hazard out of other bins is made laxer."""
FOLDS = 5
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Probabilities have 32 bits: what is less than this loses digits, down to 0."""
ROUNDING = 1e-6
"""More than the probabilities of a prediction, which have 32 bits, are rounded by."""


@dataclass(frozen=True)
class SiteItems:
    """The answers of a bundle to items of one site.

    Attributes:
        known: to those of a known class.
        others: to those of none.
    """

    known: LabeledAnswers
    others: Answers


@dataclass(frozen=True)
class InUse:
    """What decides now.

    Attributes:
        bundle: the parameters of the bundle alone.
        current: those in use: the same, or those of an earlier recalibration.
        detector: of out-of-distribution items, the bundle's; None: it has none.
    """

    bundle: DecisionParameters
    current: DecisionParameters
    detector: OodDetector | None


@dataclass(frozen=True)
class Kept:
    """A parameter of the bundle that stays, since there are too few items for it.

    Attributes:
        name: the label or hazard.
        items: how many there are.
        least: how many it takes.
        is_hazard: nothing that keeps this hazard out of other bins has become laxer.
    """

    name: str
    items: int
    least: int
    is_hazard: bool


@dataclass(frozen=True)
class Recalibration:
    """The parameters of a site, and what they come to.

    Attributes:
        parameters: fitted to all items.
        before: what the parameters in use come to.
        after: what those that were fitted come to, each item judged by a fit without it.
        kept: what stays for want of items.
        costs: of wrong decisions.
    """

    parameters: DecisionParameters
    before: SiteOutcome
    after: SiteOutcome
    kept: tuple[Kept, ...]
    costs: Costs

    @property
    def problem(self) -> str:
        """Why it must not be used; empty: it may."""
        for hazard, before in self.before.hazards.items():
            after = self.after.hazards[hazard]
            if after.leaked > before.leaked:
                return (
                    f"{after.leaked} of {after.items} {hazard} would reach a wrong bin, "
                    f"{before.leaked} do now"
                )
            if before.found - after.found > MAX_HAZARD_MISS_RATE * after.items:
                return (
                    f"{after.found} of {after.items} {hazard} would be found, "
                    f"{before.found} are now"
                )
        before_cost, after_cost = (each.cost(self.costs) for each in (self.before, self.after))
        if after_cost >= before_cost:
            return (
                f"it would cost as much as {after_cost:.0f} items sorted by hand, and the "
                f"parameters in use cost {before_cost:.0f}"
            )
        return ""


def missing_items(items: SiteItems) -> int:
    """How many more items of a known class a recalibration takes; 0: there are enough."""
    return max(0, LEAST_ITEMS - len(items.known.classes))


def recalibrate(items: SiteItems, in_use: InUse, costs: Costs = Costs()) -> Recalibration:
    """Fit the parameters of a site, and judge them by cross-validation.

    Args:
        items: a fair sample of the site's; `missing_items` is 0.
        in_use: what decides now.
        costs: of wrong decisions.
    """
    parameters, kept = fit_site(items.known, in_use, costs)
    folds = _folds(items.known.classes, len(items.others.logits))
    held_out = [
        SitePart(
            fit_site(items.known.chosen(known != fold), in_use, costs, part=1 - 1 / FOLDS)[0],
            items.known.chosen(known == fold),
            items.others.chosen(others == fold),
        )
        for known, others in [folds]
        for fold in range(FOLDS)
    ]
    before = SitePart(in_use.current, items.known, items.others)
    return Recalibration(
        parameters=parameters,
        before=outcome_of([before], in_use.detector),
        after=outcome_of(held_out, in_use.detector),
        kept=kept,
        costs=costs,
    )


def _folds(classes: np.ndarray, others: int) -> tuple[np.ndarray, np.ndarray]:
    """The fold of each known item, and of each other one; each class is spread over all folds."""
    rng = np.random.default_rng(0)
    known = np.zeros(len(classes), int)
    for label in np.unique(classes):
        places = rng.permutation(np.flatnonzero(classes == label))
        known[places] = (np.arange(len(places)) + rng.integers(FOLDS)) % FOLDS
    return known, rng.permutation(np.arange(others) % FOLDS)


def fit_site(
    known: LabeledAnswers, in_use: InUse, costs: Costs, part: float = 1.0
) -> tuple[DecisionParameters, tuple[Kept, ...]]:
    """Fit the parameters of a site.

    They are those of `edge.calibration.fit`, as on the workstation, as far as there are enough
    items. The threshold of a label that few items are taken for is the bundle's. As long as a
    hazard has few items, nothing becomes laxer that keeps one from a wrong bin: neither its own
    threshold, nor that of another label, nor the OOD limit, nor the temperature.

    Args:
        known: items of the site.
        in_use: what decides now; only the bundle's own parameters matter.
        costs: of wrong decisions.
        part: share of the items that are fitted to; the least numbers shrink with it.

    Returns:
        The parameters, and what was kept of the bundle for want of items.
    """
    bundle = in_use.bundle
    found = fit_parameters(
        labels=bundle.labels,
        hazards=bundle.hazards,
        views={"photographed": known},
        detector=in_use.detector,
        costs=costs,
    )
    few_labels = _few_labels(known, bundle, part)
    few_hazards = _few_hazards(known, bundle, part)
    thresholds = found.thresholds | {
        each.name: bundle.threshold_of[each.name] for each in few_labels
    }
    found = found.model_copy(update={"thresholds": thresholds})
    if few_hazards:
        found = _no_laxer(found, bundle)
    fitted = fit_hazard_thresholds(
        bundle.labels,
        bundle.hazards,
        {"photographed": known},
        thresholds=found.thresholds,
        detector=_with_rule(in_use.detector, found),
        temperature=found.temperature,
        costs=costs,
    )
    for each in few_hazards:
        level = translated(bundle.hazard_threshold_of[each.name], bundle, found.temperature)
        fitted[each.name] = min(level, fitted[each.name]) if each.items else level
    kept = (*few_labels, *few_hazards)
    return found.model_copy(update={"hazard_thresholds": fitted}), kept


def _few_labels(known: LabeledAnswers, bundle: DecisionParameters, part: float) -> list[Kept]:
    """The labels that too few items are taken for."""
    taken = np.bincount(known.answers.logits.argmax(axis=1), minlength=len(bundle.labels))
    return [
        Kept(label, count, LEAST_OF_CLASS, is_hazard=False)
        for label, count in zip(bundle.labels, taken.tolist(), strict=True)
        if count < LEAST_OF_CLASS * part
    ]


def _few_hazards(known: LabeledAnswers, bundle: DecisionParameters, part: float) -> list[Kept]:
    """The hazards that too few items are of."""
    there = np.bincount(known.classes, minlength=len(bundle.labels))
    counts = {hazard: int(there[bundle.labels.index(hazard)]) for hazard in bundle.hazards}
    return [
        Kept(hazard, count, LEAST_OF_HAZARD, is_hazard=True)
        for hazard, count in counts.items()
        if count < LEAST_OF_HAZARD * part
    ]


def _no_laxer(found: DecisionParameters, bundle: DecisionParameters) -> DecisionParameters:
    """The parameters with nothing laxer than in the bundle that keeps a hazard from a wrong bin.

    The threshold of a hazard's own label keeps none from there. The temperature is no lower: a few
    items that are all right would make the model sure of everything.
    """
    temperature = max(found.temperature, bundle.temperature)
    thresholds = {
        label: threshold
        if label in bundle.hazards
        else max(
            threshold, translated(bundle.threshold_of[label], bundle, temperature, upwards=True)
        )
        for label, threshold in found.thresholds.items()
    }
    unknown = found.unknown
    if unknown is not None and bundle.unknown is not None:
        least = max(unknown.threshold, bundle.unknown.threshold)
        unknown = unknown.model_copy(update={"threshold": least})
    changes = {"temperature": temperature, "thresholds": thresholds, "unknown": unknown}
    return found.model_copy(update=changes)


def _with_rule(detector: OodDetector | None, found: DecisionParameters) -> OodDetector | None:
    if detector is None or found.unknown is None:
        return None
    return replace(detector, rule=found.unknown)


def translated(
    threshold: float, bundle: DecisionParameters, temperature: float, *, upwards: bool = False
) -> float:
    """A threshold of the bundle at another temperature, reached by every answer that reached it.

    With T and T' the temperatures, r = T / T', and o the odds of a class at T, its odds at T' are
    o^r / sum(w^r), w being the shares of the other classes in what is left of the probability. For
    k other classes the sum is between 1 and k^(1 - r).

    Args:
        threshold: a probability, 0 to 1.
        bundle: whose temperature it is for.
        temperature: the other one.
        upwards: instead, reached by no answer that did not reach it.
    """
    if not 0 < threshold < 1:
        return threshold
    ratio, others = bundle.temperature / temperature, len(bundle.labels) - 1
    widest = others ** (ratio - 1)
    odds = (threshold / (1 - threshold)) ** ratio * (max if upwards else min)(1.0, widest)
    level = odds / (1 + odds)
    if level < LEAST_PROBABILITY:
        return LEAST_PROBABILITY if upwards else 0.0
    return min(1.0, level * (1 + ROUNDING)) if upwards else level * (1 - ROUNDING)
