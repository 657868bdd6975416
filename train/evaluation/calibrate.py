"""Calibrate a run on its validation photos."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from edge.bundle.manifest import DEFAULT_HAZARD_THRESHOLD, DecisionParameters
from edge.decision.decide import rules_for
from edge.errors import BadInput, EwasteError
from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector
from edge.labels import default_hazards, find_label, hazard_notes, near_labels
from edge.photos.reading import LabeledPhoto
from train.augmentation.augment import augment
from train.data.dataset import Split
from train.evaluation.background_swap import SegmentedItem, on_background, segment_items
from train.evaluation.calibration import write_calibration
from train.evaluation.decisions import judge_decisions
from train.evaluation.ood_detectors import compare_detectors, fit_detectors, threshold_keeping
from train.evaluation.ood_samples import drawn_debris, empty_backgrounds, shuffled
from train.evaluation.options import CalibrationOptions, Costs
from train.evaluation.predictor import Answers, Predictor, answer_all, open_predictor
from train.evaluation.reliability import calibration_error, reliability

OOD_KEPT_SHARE = 0.95
"""Share of the known items that the OOD detector keeps."""
MAX_HAZARD_MISS_RATE = 0.01
"""Largest share of a hazard's items that may be taken for something harmless."""
QUANTIZATION_MARGIN = 0.8
"""Factor by which quantization may reduce a small probability: 1/5 of a logit at temperature 1."""
MAX_SUSPECTED_SHARE = 0.1
"""Largest share of the other items that one hazard may send to `manual`."""
DRAWN_DEBRIS_COUNT = 300
"""Number of drawn OOD samples."""
MAX_REFERENCES = 5000
"""Largest number of known items that the OOD detector compares with: 1.3 MB, 0.5 ms on one core."""


@dataclass(frozen=True)
class CalibrationResult:
    """The result of a calibration: the parameters, the detector, and the figures behind them."""

    parameters: DecisionParameters
    detector: OodDetector
    figures: dict


@dataclass(frozen=True)
class LabeledAnswers:
    """Answers to known items under one condition, such as on a belt, and their classes, int."""

    answers: Answers
    classes: np.ndarray


def calibrate(
    predictor: Predictor,
    train: Split,
    val: Split,
    hazards: Sequence[str],
    options: CalibrationOptions,
) -> CalibrationResult:
    """Classify the photos of a calibration, and `fit` its parameters.

    Everything is chosen on `val`; of `train` come only the items the detector compares with. Val is
    classified as photographed, pasted on a belt and on white, and augmented a little: parameters
    fitted to the pictures of a shop alone would not hold on a line. Items are segmented by `masks`
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
    views = _classify_views(predictor, val, items, options.seed)
    references = _references(predictor, train, options.seed)
    return fit(
        labels=predictor.labels,
        hazards=hazards,
        views=views,
        references=references,
        ood_samples=ood_samples,
        costs=options.costs,
    )


def fit(
    *,
    labels: tuple[str, ...],
    hazards: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    references: LabeledAnswers,
    ood_samples: Mapping[str, Answers],
    costs: Costs,
) -> CalibrationResult:
    """Fit temperature, unknown detector, hazard_thresholds and thresholds to a model's answers.

    Args:
        labels: the classes, in the order of the logits.
        hazards: those that must reach no other bin.
        views: condition -> the val items under it; `photographed` and perhaps others.
        references: training items that the detector compares with.
        ood_samples: kind -> answers to samples of no known class.
        costs: of wrong decisions.
    """
    photographed = views["photographed"]
    temperature = fit_temperature(photographed.answers.logits, photographed.classes)
    compared = compare_detectors(
        references.answers,
        references.classes,
        photographed.answers,
        ood_samples,
        temperature,
    )
    detector = _fit_detector(compared, references, views, temperature)
    hazard_thresholds = {
        hazard: fit_hazard_thresholds(labels.index(hazard), views, temperature, costs)
        for hazard in hazards
    }
    parameters = DecisionParameters(
        labels=labels,
        hazards=tuple(hazards),
        temperature=temperature,
        thresholds=fit_thresholds(labels, views, temperature, hazard_thresholds, costs),
        hazard_thresholds=hazard_thresholds,
        unknown=detector.rule,
    )
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


def fit_temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """The temperature, 0.05 to 20, at which the truth is most likely (least mean log loss).

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    chosen = np.arange(len(classes)), classes

    def loss(logarithm: float) -> float:
        return -float(np.log(np.maximum(softmax(logits, np.exp(logarithm))[chosen], 1e-12)).mean())

    bounds = float(np.log(0.05)), float(np.log(20))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def fit_hazard_thresholds(
    hazard: int, views: Mapping[str, LabeledAnswers], temperature: float, costs: Costs
) -> float:
    """The greatest probability of a hazard from which an item is suspected of being one.

    With r = `MAX_HAZARD_MISS_RATE`, at most the k = floor(r (n + 1)) smallest probabilities of n
    views of hazards lie below it: then another hazard reaches it with a probability of 1 - r,
    whatever the distribution (split conformal prediction: Vovk, Gammerman, Shafer, "Algorithmic
    learning in a random world", 2005; the views of one item are not independent, so this is a
    guide, no proof). Of fewer than 2 / r views all must reach it; the same holds for the
    photographed ones alone. It is multiplied by `QUANTIZATION_MARGIN`, lowered to the probability
    from which sorting by hand costs less than the chance of a hazard in a wrong bin, and raised if
    more than `MAX_SUSPECTED_SHARE` of the other photographed items reach it. Without any hazard in
    val it is `DEFAULT_HAZARD_THRESHOLD`.
    """
    photographed, pooled = views["photographed"], pool(views.values())
    if not (photographed.classes == hazard).any():
        return DEFAULT_HAZARD_THRESHOLD
    level = QUANTIZATION_MARGIN * min(
        _conformal(hazard, each, temperature) for each in (pooled, photographed)
    )
    level = min(level, 1 / costs.hazard)
    others = photographed.classes != hazard
    reached = softmax(photographed.answers.logits[others], temperature)[:, hazard]
    if not len(reached):
        return level
    most = float(np.quantile(reached, 1 - MAX_SUSPECTED_SHARE, method="higher"))
    return max(level, most)


def _conformal(hazard: int, views: LabeledAnswers, temperature: float) -> float:
    of_hazards = softmax(views.answers.logits[views.classes == hazard], temperature)[:, hazard]
    place = max(1, int(MAX_HAZARD_MISS_RATE * (len(of_hazards) + 1)))
    return float(np.sort(of_hazards)[place - 1])


def fit_thresholds(
    labels: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    temperature: float,
    hazard_thresholds: Mapping[str, float],
    costs: Costs,
) -> dict[str, float]:
    """For each label the least confidence at which sorting costs less than a look by hand.

    Few items of a label are ever wrong, so half of what accepting an item costs is what came of it,
    half what its calibrated confidence lets expect. Without any item that leads to Chow's rule,
    1 - 1 / `costs.wrong` (Chow, "On optimum recognition error and reject tradeoff", 1970). Items
    under hazard_thresholds are left out: they go to `manual` anyway.
    """
    pooled = pool(views.values())
    probabilities = softmax(pooled.answers.logits, temperature)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    hazards = [labels.index(hazard) for hazard in hazard_thresholds]
    suspected = np.zeros(len(predicted), dtype=bool)
    for hazard, level in zip(hazards, hazard_thresholds.values(), strict=True):
        suspected |= (probabilities[:, hazard] >= level) & (predicted != hazard)
    price = np.where(np.isin(pooled.classes, hazards), costs.hazard, costs.wrong)
    came = np.where(predicted != pooled.classes, price, 0)
    accepting = (came + costs.wrong * (1 - confidence)) / 2
    chow = 1 - 1 / costs.wrong
    return {
        label: _cheapest(confidence[chosen], accepting[chosen], chow)
        for place, label in enumerate(labels)
        for chosen in [(predicted == place) & ~suspected]
    }


def _cheapest(confidence: np.ndarray, accepting: np.ndarray, chow: float) -> float:
    """The threshold of least cost, rejecting an item costing 1; of equal ones the next to `chow`.

    Candidates are `chow` and the middles between neighboring confidences.
    """
    ordered = np.unique(confidence)
    candidates = np.append((ordered[1:] + ordered[:-1]) / 2, chow)
    cost = [np.where(confidence >= each, accepting, 1.0).sum() for each in candidates]
    cheapest = candidates[np.isclose(cost, np.min(cost))]
    return round(float(cheapest[np.argmin(np.abs(cheapest - chow))]), 4)


def pool(views: Iterable[LabeledAnswers]) -> LabeledAnswers:
    """Several views as one."""
    views = list(views)
    return LabeledAnswers(
        Answers(
            np.concatenate([each.answers.logits for each in views]),
            np.concatenate([each.answers.embeddings for each in views]),
        ),
        np.concatenate([each.classes for each in views]),
    )


def _fit_detector(
    compared: Mapping[str, dict],
    references: LabeledAnswers,
    views: Mapping[str, LabeledAnswers],
    temperature: float,
) -> OodDetector:
    """The detector with the best mean AUROC.

    Its threshold keeps `OOD_KEPT_SHARE` of val both as photographed and on a belt.
    """
    detectors = fit_detectors(references.answers, references.classes, temperature)
    best = max(detectors, key=lambda score: compared[score]["mean_auroc"])
    threshold = min(
        threshold_keeping(
            detectors[best].score(each.answers.logits, each.answers.embeddings), OOD_KEPT_SHARE
        )
        for way, each in views.items()
        if way in ("photographed", "belt")
    )
    rule = detectors[best].rule.model_copy(update={"threshold": threshold})
    return replace(detectors[best], rule=rule)


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


def _references(predictor: Predictor, train: Split, seed: int) -> LabeledAnswers:
    """Training items for the detector, the classes evenly: as photographed and augmented.

    At most `MAX_REFERENCES`, the photographed ones first. Without augmented ones, an item that lies
    rotated on a belt, smaller and in another light would resemble nothing known.
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
    augmented = (
        augment(train.pixels[place], np.random.default_rng((seed, place))) for place in again
    )
    views = [LabeledAnswers(_ask(predictor, train.pixels[chosen]), train.classes[chosen])]
    if len(again):
        views.append(LabeledAnswers(_ask(predictor, augmented), train.classes[again]))
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
        write_calibration(run, found.parameters, found.detector, found.figures)
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
