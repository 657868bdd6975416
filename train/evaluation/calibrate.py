"""Calibrate a run on its validation photos."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from edge.bundle.manifest import DecisionParameters
from edge.calibration.answers import Answers, LabeledAnswers, pool, pooled_answers
from edge.calibration.costs import Costs
from edge.calibration.decisions import judge_decisions
from edge.calibration.fit import fit_parameters
from edge.calibration.reliability import calibration_error, reliability
from edge.calibration.temperature import fit_temperature
from edge.decision.decide import rules_for
from edge.errors import BadInput, EwasteError
from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector
from edge.inference.preprocess import model_input
from edge.inference.touching import TouchingRule
from edge.labels import default_hazards, find_label, hazard_notes, near_labels
from edge.photos.reading import LabeledPhoto, read_photos
from edge.synthetic.segmentation import segment_item
from train.augmentation.augment import augment, belt_augmenter
from train.data.dataset import Split
from train.data.duplicates import without_copies
from train.evaluation.background_swap import (
    TURNED,
    SegmentedItem,
    on_background,
    segment_items,
)
from train.evaluation.calibration import write_calibration
from train.evaluation.ood_detectors import (
    Negatives,
    compare_detectors,
    fit_detectors,
)
from train.evaluation.ood_samples import drawn_debris, empty_backgrounds, shuffled
from train.evaluation.options import CalibrationOptions
from train.evaluation.predictor import Predictor, answer_all, open_predictor
from train.evaluation.touching import fit_touching

log = logging.getLogger(__name__)

DRAWN_DEBRIS_COUNT = 300
"""Number of drawn OOD samples."""
TURNED_VIEWS = 4
"""How often each val item is laid on a belt at another angle, for the hazard thresholds."""
MAX_REFERENCES = 5000
"""Largest number of known items that the OOD detector compares with: 1.3 MB, 0.5 ms on one core."""


@dataclass(frozen=True)
class CalibrationResult:
    """The result of a calibration: parameters, detector, the rule for touching items, figures."""

    parameters: DecisionParameters
    detector: OodDetector
    figures: dict
    touching: TouchingRule | None = None


def calibrate(
    predictor: Predictor,
    train: Split,
    val: Split,
    hazards: Sequence[str],
    options: CalibrationOptions,
) -> CalibrationResult:
    """Classify the photos of a calibration, and `fit` its parameters.

    Everything is chosen on `val`; of `train` come only the items the detector compares with, and
    those to which the rule for touching items is fitted. Val is
    classified as photographed, pasted on a belt and on white, and augmented a little: parameters
    fitted to the pictures of a shop alone would not hold on a line. For the hazard thresholds it is
    classified on a belt at `TURNED_VIEWS` angles as well. Items are segmented by `masks`
    (`train.data.masks`), or without them here.
    """
    segmented = segment_items(_photos(val, predictor.labels), predictor.size, options.masks)
    items = [item for item in segmented if item]
    debris = drawn_debris(DRAWN_DEBRIS_COUNT, predictor.size, options.seed)
    ood_samples = {
        "shuffled pieces": _ask(predictor, shuffled(val.pixels, options.seed)),
        "drawn debris": _ask(predictor, debris),
    }
    if items:
        ood_samples["empty backgrounds"] = _ask(predictor, empty_backgrounds(items, predictor.size))
    negatives = _classify_negatives(predictor, val, options) if options.negatives else {}
    views = _classify_views(predictor, val, items, options.seed)
    turned = _classify_turned(predictor, val, items, options.seed)
    references = _references(predictor, train, options.seed)
    found = fit(
        labels=predictor.labels,
        hazards=hazards,
        views=views,
        turned=turned,
        references=references,
        ood_samples=ood_samples,
        costs=options.costs,
        negatives=negatives,
    )
    touching = fit_touching(predictor, _photos(train, predictor.labels), options.seed)
    if touching is None:
        return found
    rule, figures = touching
    return replace(found, touching=rule, figures={**found.figures, "touching": asdict(figures)})


def fit(
    *,
    labels: tuple[str, ...],
    hazards: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    references: LabeledAnswers,
    ood_samples: Mapping[str, Answers],
    costs: Costs,
    turned: Mapping[str, LabeledAnswers] = MappingProxyType({}),
    negatives: Mapping[str, Negatives] = MappingProxyType({}),
) -> CalibrationResult:
    """Fit temperature, unknown detector, hazard_thresholds and thresholds to a model's answers.

    Args:
        labels: the classes, in the order of the logits.
        hazards: those that must reach no other bin.
        views: condition -> the val items under it; `photographed` and perhaps others.
        references: training items that the detector compares with.
        ood_samples: kind -> answers to samples of no known class.
        costs: of wrong decisions.
        turned: condition -> the val items at any angle, for the hazard thresholds alone.
        negatives: condition -> the same things of no known class under it.
    """
    photographed = views["photographed"]
    temperature = fit_temperature(photographed.answers.logits, photographed.classes)
    compared = compare_detectors(
        references.answers,
        references.classes,
        known=photographed.answers,
        ood_samples=ood_samples,
        temperature=temperature,
        negatives=negatives,
    )
    detector = _best_detector(compared, references, photographed, temperature, negatives)
    parameters = fit_parameters(
        labels=labels,
        hazards=hazards,
        views=views,
        detector=detector,
        costs=costs,
        turned=turned,
    )
    assert parameters.unknown is not None, "there is a detector"
    detector = replace(detector, rule=parameters.unknown)
    rules = rules_for(parameters, {}, detector)
    before, after = (
        reliability(photographed.classes, softmax(photographed.answers.logits, each))
        for each in (1.0, temperature)
    )
    figures = {
        "images": len(photographed.classes),
        "ece_before": calibration_error(before),
        "ece": calibration_error(after),
        "detectors": compared,
        "references": len(references.classes),
        "decisions": {
            way: judge_decisions(each.answers, each.classes, temperature, rules)
            for way, each in views.items()
        },
    }
    return CalibrationResult(parameters, detector, figures)


def _best_detector(
    compared: Mapping[str, dict],
    references: LabeledAnswers,
    photographed: LabeledAnswers,
    temperature: float,
    negatives: Mapping[str, Negatives],
) -> OodDetector:
    """The detector with the best mean AUROC; its threshold is still 0."""
    detectors = fit_detectors(
        references.answers,
        references.classes,
        known=photographed.answers,
        temperature=temperature,
        negatives=pooled_answers([each.answers for each in negatives.values()])
        if negatives
        else None,
    )
    return detectors[max(detectors, key=lambda score: compared[score]["mean_auroc"])]


def _classify_views(
    predictor: Predictor, val: Split, items: Sequence[SegmentedItem], seed: int
) -> dict[str, LabeledAnswers]:
    """Classify val photos under each condition; on backgrounds only segmented items."""
    augmented = (
        augment(photo, np.random.default_rng((seed, index)))
        for index, photo in enumerate(val.pixels)
    )
    views = {
        "photographed": LabeledAnswers(_ask(predictor, val.pixels), val.classes),
        "augmented": LabeledAnswers(_ask(predictor, augmented), val.classes),
    }
    if items:
        of_items = val.classes[[item.index for item in items]]
        for background in ("belt", "white"):
            laid = on_background(items, items, background, predictor.size, seed)
            views[background] = LabeledAnswers(_ask(predictor, laid), of_items)
    return views


def _classify_turned(
    predictor: Predictor, val: Split, items: Sequence[SegmentedItem], seed: int
) -> dict[str, LabeledAnswers]:
    """Classify segmented val items on belts at any angle, each at `TURNED_VIEWS` of them."""
    if not items:
        return {}
    of_items = val.classes[[item.index for item in items]]
    views = {}
    for number in range(TURNED_VIEWS):
        laid = on_background(items, items, TURNED, predictor.size, seed + number)
        views[f"{TURNED} {number + 1}"] = LabeledAnswers(_ask(predictor, laid), of_items)
    return views


def _classify_negatives(
    predictor: Predictor, val: Split, options: CalibrationOptions
) -> dict[str, Negatives]:
    """Classify the things of no known class as photographed and, those segmented, on a belt.

    Copies of val photos are left out: the same picture cannot be a known item and a negative.
    """
    photos = [LabeledPhoto(path, path.parent.name) for path in options.negatives]
    pixels, names = [], []
    for photo, image in read_photos(photos):
        pixels.append(model_input(image, predictor.size))
        names.append(photo.label)
    kept = without_copies(pixels, list(val.pixels))
    if len(kept) < len(pixels):
        log.info(f"left out for a copy in val: {len(pixels) - len(kept)} negatives")
    pixels, names = [pixels[index] for index in kept], [names[index] for index in kept]
    if not pixels:
        return {}
    _, groups = np.unique(names, return_inverse=True)
    found = {"negatives": Negatives(_ask(predictor, pixels), groups)}
    masks = [segment_item(picture) for picture in pixels]
    items = [
        SegmentedItem(index, names[index], pixels[index], mask, lends=False)
        for index, mask in enumerate(masks)
        if mask is not None
    ]
    if items:
        laid = on_background(items, items, "belt", predictor.size, options.seed)
        of_items = groups[[item.index for item in items]]
        found["negatives on a belt"] = Negatives(_ask(predictor, laid), of_items)
    return found


def _references(predictor: Predictor, train: Split, seed: int) -> LabeledAnswers:
    """Training items for the detector, the classes evenly: as photographed and as on a belt.

    At most `MAX_REFERENCES`, the photographed ones first. Without the others, an item that lies
    turned on a belt, smaller and in another light would resemble nothing known.
    """
    rng = np.random.default_rng(seed)
    each = max(1, MAX_REFERENCES // len(predictor.labels))
    chosen = np.concatenate(
        [
            rng.permutation(np.flatnonzero(train.classes == number))[:each]
            for number in range(len(predictor.labels))
        ]
    )
    again = rng.permutation(chosen)[: max(0, MAX_REFERENCES - len(chosen))]
    views = [LabeledAnswers(_ask(predictor, train.pixels[chosen]), train.classes[chosen])]
    if len(again):
        augmented = belt_augmenter(train.pixels[again], train.classes[again], seed)
        laid = (augmented(place, 1) for place in range(len(again)))
        views.append(LabeledAnswers(_ask(predictor, laid), train.classes[again]))
    return pool(views)


def _ask(predictor: Predictor, pictures: Iterable[np.ndarray]) -> Answers:
    return answer_all(predictor.answer, pictures)


def _photos(split: Split, labels: Sequence[str]) -> list[LabeledPhoto]:
    return [
        LabeledPhoto(path, labels[number])
        for path, number in zip(split.paths, split.classes, strict=True)
    ]


def calibrate_run(
    run: Path,
    train: Split,
    val: Split,
    hazards: Sequence[str] | None = None,
    options: CalibrationOptions = CalibrationOptions(),
) -> CalibrationResult:
    """Calibrate a finished run and write `calibration.json` and `unknown.npz` into it.

    `hazards` None: the default ones among the run's labels.

    Raises:
        BadInput: the run cannot be used, or a hazard is none of its labels.
    """
    predictor = open_predictor(run, threads=2)
    hazards = find_hazards(run, predictor.labels, hazards)
    found = calibrate(predictor, train, val, hazards, options)
    try:
        write_calibration(run, found.parameters, found.detector, found.figures, found.touching)
    except OSError as error:
        raise EwasteError(f"{run}: cannot be written ({error.strerror})") from None
    return found


def find_hazards(run: Path, labels: Sequence[str], named: Sequence[str] | None) -> tuple[str, ...]:
    """The hazards among the labels of a run: those named, or (None) the default ones.

    Raises:
        BadInput: one that is named is none of the labels.
    """
    if named is None:
        return default_hazards(labels)
    found = {hazard: find_label(hazard, labels) for hazard in named}
    for hazard, label in found.items():
        if label is None:
            meant = near_labels(hazard, labels)
            hint = f"did you mean {' or '.join(meant)}?" if meant else f"it has {', '.join(labels)}"
            raise BadInput(f"{run}: the hazard {hazard} is none of its labels; {hint}")
    return tuple(dict.fromkeys(label for label in found.values() if label is not None))


def describe(found: CalibrationResult) -> list[str]:
    """Describe a calibration in a few lines."""
    parameters, figures = found.parameters, found.figures
    decided, rule = figures["decisions"]["photographed"], found.detector.rule
    lines = [
        f"temperature {parameters.temperature:.2f}: calibration error on val "
        f"{figures['ece_before']:.1%} -> {figures['ece']:.1%}",
        f"unknown below {rule.threshold:.3g} by {rule.score}; mean AUROC on OOD samples "
        + ", ".join(f"{name} {each['mean_auroc']:.3f}" for name, each in _ranked(figures)),
        f"val: {_share_text(decided['right'])} in their bin, "
        f"{_share_text(decided['wrong'])} in another, {_share_text(decided['manual'])} by hand",
    ]
    if "touching" in figures:
        touching = figures["touching"]
        lines.append(
            f"touching: {touching['false']:.1%} of single items taken for several, by outlines "
            f"alone {touching['false_by_outline']:.1%}, where {touching['recognized']:.0%} of the "
            "pairs are recognized that are not too long for one item"
        )
    for hazard, each in decided["hazards"].items():
        lines.append(
            f"{hazard}, suspected from {each['level']:.2%} on: {_share_text(each['recall'])} "
            f"found, its bin {_share_text(each['precision'])} pure, "
            f"{_share_text(each['suspected'])} of the others by hand"
        )
    return lines + hazard_notes(parameters.labels, parameters.hazards)


def _ranked(figures: dict) -> list[tuple[str, dict]]:
    return sorted(figures["detectors"].items(), key=lambda entry: -entry[1]["mean_auroc"])


def _share_text(share: dict) -> str:
    if share["share"] is None:
        return "none"
    return f"{share['share']:.1%} ({share['low']:.1%} to {share['high']:.1%})"
