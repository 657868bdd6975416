"""Recalibrate a bundle to the site of a line, and keep the result as a new generation."""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edge.bundle.bundle import Bundle
from edge.calibration.costs import Costs
from edge.calibration.outcome import SiteOutcome
from edge.errors import Refused
from edge.inference.classifier import Classifier
from edge.learned.manifest import LONGEST_WHO, LearnedManifest
from edge.learned.recalibration import InUse, Recalibration, recalibrate
from edge.learned.site import SiteCalibration
from edge.learned.site_items import ClassifiedItems, classify_items, require_reviewed
from edge.learned.store import (
    Generation,
    LearnedStep,
    add_generation,
    current_generation,
    digest_in_use,
)
from edge.records.drawn import drawn_items
from edge.records.period import Period
from edge.records.store import RECORDS_NAME, Store

WHAT = "recalibrated"


@dataclass(frozen=True)
class SiteResult:
    """What a recalibration found.

    Attributes:
        found: the parameters, and what they come to.
        classified: the items that it rests on.
        parent: the generation in use beside the bundle; None: the bundle decides alone.
    """

    found: Recalibration
    classified: ClassifiedItems
    parent: Generation | None


def recalibrate_site(
    state: Path, learned: Path, bundle: Bundle, classifier: Classifier, period: Period
) -> SiteResult:
    """Fit the parameters of a bundle to the items of its line that were drawn and reviewed.

    Args:
        state: the folder of the records.
        learned: the store of what was learned.
        bundle: the bundle in use.
        classifier: its model.
        period: when the items were decided on.

    Raises:
        BadInput: there are too few items, or no records.
        Refused: what is in use cannot be proved, or taught classes are in use.
        Damaged: the file of records is damaged.
        EwasteError: it cannot be read now.
    """
    parent = current_generation(learned)
    if parent is not None and parent.manifest.base != bundle.digest:
        parent = None
    if parent is not None and parent.manifest.classes:
        raise Refused(
            f"{parent.path}: {', '.join(parent.manifest.labels)} were taught; recalibrate first, "
            "and teach afterwards: ewaste-edge learned remove"
        )
    with Store(state / RECORDS_NAME, read_only=True) as store:
        drawn = drawn_items(store, period)
        require_reviewed(drawn)
        classified = classify_items(store, drawn, bundle.labels, classifier.predict)
    site = None if parent is None else parent.manifest.calibration
    in_use = InUse(
        bundle=bundle.manifest,
        current=bundle.manifest if site is None else site.applied_to(bundle.manifest),
        detector=bundle.detector,
    )
    return SiteResult(recalibrate(classified.items, in_use), classified, parent)


def keep(learned: Path, bundle: Bundle, result: SiteResult, *, by: str, now: float) -> Generation:
    """Keep the result as a new generation, and use it.

    Args:
        learned: the store of what was learned.
        bundle: the bundle in use.
        result: with no problem.
        by: who recalibrates.
        now: unix seconds.

    Raises:
        BadInput: another command works with the store.
        Refused: it would be worse than what is in use.
        EwasteError: the store cannot be written.
    """
    if result.found.problem:
        raise Refused(f"not recalibrated: {result.found.problem}; what is in use stays")
    manifest = manifest_of(bundle, result, by=by, now=now)
    step = LearnedStep(WHAT, by=manifest.by, parent=digest_in_use(learned), now=now)
    return add_generation(learned, manifest, {}, step)


def manifest_of(bundle: Bundle, result: SiteResult, *, by: str, now: float) -> LearnedManifest:
    """The generation that a result makes; it has no files, since no class is taught in it.

    Args:
        bundle: the bundle in use.
        result: with no problem.
        by: who recalibrates.
        now: unix seconds.
    """
    return LearnedManifest(
        base=bundle.digest,
        base_name=bundle.manifest.name,
        created=datetime.fromtimestamp(now, timezone.utc),
        by=by[:LONGEST_WHO],
        calibration=calibration_of(result),
    )


def calibration_of(result: SiteResult) -> SiteCalibration:
    """The parameters and figures of a result, as a manifest keeps them."""
    found, classified = result.found, result.classified
    unknown = found.parameters.unknown
    return SiteCalibration(
        temperature=found.parameters.temperature,
        thresholds=found.parameters.thresholds,
        hazard_thresholds=found.parameters.hazard_thresholds,
        unknown_threshold=None if unknown is None else unknown.threshold,
        items=found.after.items + found.after.others,
        since=max(0.0, classified.since),
        until=max(0.0, classified.until),
        before=figures(found.before, found.costs),
        after=figures(found.after, found.costs),
    )


def figures(outcome: SiteOutcome, costs: Costs) -> dict[str, float]:
    """The figures of an outcome, shares 0 to 1, the cost in items sorted by hand."""
    items, others = max(1, outcome.items), max(1, outcome.others)
    of_hazards = {
        f"{name} {hazard}": count / max(1, each.items)
        for hazard, each in outcome.hazards.items()
        for name, count in (("found", each.found), ("leaked", each.leaked))
    }
    return {
        "right": outcome.right / items,
        "wrong": outcome.wrong / items,
        "by_hand": outcome.by_hand / items,
        "others_sorted": outcome.others_sorted / others,
        "calibration_error": outcome.calibration_error,
        "cost": outcome.cost(costs),
        **of_hazards,
    }
