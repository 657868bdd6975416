"""Calibrate a run on its val photos: python train/calibrate.py --run RUN [--data DIR]."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.optimize import minimize_scalar

from edge.bundle.manifest import DEFAULT_HAZARD_THRESHOLD, DecisionParameters
from edge.decision.decide import rules_for
from edge.errors import BadInput, EwasteError
from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector
from edge.labels import default_hazards, find_label, hazard_notes, near_labels
from edge.photos.listing import SPLIT_FILE
from edge.photos.reading import LabeledPhoto
from train.augmentation.augment import augment
from train.command import command, print_json
from train.data.dataset import Split, read_dataset
from train.evaluation.background_swap import SegmentedItem, on_background, segment_items
from train.evaluation.calibration import write_calibration
from train.evaluation.decisions import judge_decisions
from train.evaluation.ood_detectors import compare_detectors, fit_detectors, threshold_keeping
from train.evaluation.ood_samples import drawn_debris, empty_backgrounds, shuffled
from train.evaluation.predictor import Answers, Predictor, answer_all, open_predictor
from train.evaluation.reliability import calibration_error, reliability
from train.learning.progress import say

KEPT = 0.95
"""Share of the known items that the unknown detector keeps."""
MISSED = 0.01
"""Share of a hazard's items that may be taken for something harmless."""
QUANTIZED = 0.8
"""Factor for what 8 bits may take off a small probability: a fifth of a logit at temperature 1."""
MOST_SUSPECTED = 0.1
"""Share of the other items that one hazard may send to `manual`."""
DEBRIS = 300
"""Drawn things that stand in for unknown ones."""
REFERENCES = 5000
"""Known items, at most, that the unknown detector compares with: 1.3 MB, 0.5 ms on one core."""


@dataclass(frozen=True)
class Costs:
    """What decisions cost, in items sorted by hand.

    Attributes:
        wrong: an item in the bin of another label.
        hazard: the same, for an item that is a hazard.
    """

    wrong: float = 3.0
    hazard: float = 100.0


@dataclass(frozen=True)
class CalibrationResult:
    """What `calibrate` found: the parameters, the detector, and figures that tell how."""

    parameters: DecisionParameters
    detector: OodDetector
    figures: dict


@dataclass(frozen=True)
class LabeledAnswers:
    """Answers to known items seen in one way, such as laid on a belt, and their classes, int."""

    answers: Answers
    classes: np.ndarray


def calibrate(
    predictor: Predictor,
    train: Split,
    val: Split,
    hazards: Sequence[str],
    costs: Costs,
    seed: int,
    masks: Path | None = None,
) -> CalibrationResult:
    """Ask a model what calibrating it needs, and `fit`.

    Everything is chosen on `val`; of `train` come only the items the detector compares with. Val is
    seen as photographed, cut out and laid on a belt and on white, and varied a little: what
    is fitted to the pictures of a shop alone would not hold on a line. It is cut out by `masks`
    (`train.data.masks`), or without them here.
    """
    cut = segment_items(_photos(val, predictor.labels), predictor.size, masks)
    items = [item for item in cut if item]
    strangers = {
        "shuffled pieces": _ask(predictor, shuffled(val.pixels, seed)),
        "drawn debris": _ask(predictor, drawn_debris(DEBRIS, predictor.size, seed)),
    }
    if items:
        strangers["empty backgrounds"] = _ask(predictor, empty_backgrounds(items, predictor.size))
    views = _look(predictor, val, items, seed)
    references = _references(predictor, train, seed)
    return fit(predictor.labels, hazards, views, references, strangers, costs)


def fit(
    labels: tuple[str, ...],
    hazards: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    references: LabeledAnswers,
    strangers: Mapping[str, Answers],
    costs: Costs,
) -> CalibrationResult:
    """Fit temperature, unknown detector, hazard_thresholds and thresholds to a model's answers.

    Args:
        labels: the classes, in the order of the logits.
        hazards: those that must reach no other bin.
        views: way of seeing -> the val items seen so; `photographed` and perhaps others.
        references: training items that the detector compares with.
        strangers: kind -> stand-ins for things of no known class.
        costs: of wrong decisions.
    """
    photographed = views["photographed"]
    temperature = fit_temperature(photographed.answers.logits, photographed.classes)
    compared = compare_detectors(
        references.answers,
        references.classes,
        photographed.answers,
        strangers,
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
    """The greatest probability of a hazard from which an item must be suspected of being one.

    Of n views of hazards, the k = floor(MISSED (n + 1)) smallest probabilities lie under the level
    at most: then another hazard reaches it with a probability of 1 - MISSED, whatever the
    distribution (split conformal prediction: Vovk, Gammerman, Shafer, "Algorithmic learning in a
    random world", 2005; the views of one item are not independent, so this is a guide, no proof).
    Of fewer than 2 / MISSED views all must reach it; the same holds for the photographed ones
    alone. It is lowered by `QUANTIZED`, and to the probability from which a look by hand costs less
    than the chance of a hazard in a wrong bin; and raised if more than `MOST_SUSPECTED` of the
    other photographed items reach it. Without any hazard in val it is `DEFAULT_HAZARD_THRESHOLD`.
    """
    photographed, pooled = views["photographed"], pool(views.values())
    if not (photographed.classes == hazard).any():
        return DEFAULT_HAZARD_THRESHOLD
    level = QUANTIZED * min(
        _conformal(hazard, each, temperature) for each in (pooled, photographed)
    )
    level = min(level, 1 / costs.hazard)
    others = photographed.classes != hazard
    reached = softmax(photographed.answers.logits[others], temperature)[:, hazard]
    if not len(reached):
        return level
    most = float(np.quantile(reached, 1 - MOST_SUSPECTED, method="higher"))
    return max(level, most)


def _conformal(hazard: int, views: LabeledAnswers, temperature: float) -> float:
    of_hazards = softmax(views.answers.logits[views.classes == hazard], temperature)[:, hazard]
    place = max(1, int(MISSED * (len(of_hazards) + 1)))
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
    """The detector with the best mean AUROC; it keeps `KEPT` of val as photographed and on a belt.

    The lower of the two thresholds: a line's items lie on a belt.
    """
    detectors = fit_detectors(references.answers, references.classes, temperature)
    best = max(detectors, key=lambda score: compared[score]["mean_auroc"])
    threshold = min(
        threshold_keeping(detectors[best].score(each.answers.logits, each.answers.embeddings), KEPT)
        for way, each in views.items()
        if way in ("photographed", "belt")
    )
    rule = detectors[best].rule.model_copy(update={"threshold": threshold})
    return replace(detectors[best], rule=rule)


def _look(
    predictor: Predictor, val: Split, items: Sequence[SegmentedItem], seed: int
) -> dict[str, LabeledAnswers]:
    """See the val photos in several ways; on backgrounds only those that can be cut out."""
    varied = (
        augment(photo, np.random.default_rng((seed, index)))
        for index, photo in enumerate(val.pixels)
    )
    views = {
        "photographed": LabeledAnswers(_ask(predictor, val.pixels), val.classes),
        "augmented": LabeledAnswers(_ask(predictor, varied), val.classes),
    }
    if items:
        of_items = val.classes[[item.index for item in items]]
        for background in ("belt", "white"):
            laid = on_background(items, items, background, predictor.size, seed)
            views[background] = LabeledAnswers(_ask(predictor, laid), of_items)
    return views


def _references(predictor: Predictor, train: Split, seed: int) -> LabeledAnswers:
    """Training items for the detector, the classes evenly: as photographed, and varied.

    Of the photographed ones all for which there is room; the rest of `REFERENCES` are varied, or
    what lies on a belt any way round, smaller and in another light would be like nothing known.
    """
    rng = np.random.default_rng(seed)
    each = max(1, REFERENCES // len(predictor.labels))
    chosen = np.concatenate(
        [
            rng.permutation(np.flatnonzero(train.classes == number))[:each]
            for number in range(len(predictor.labels))
        ]
    )
    again = rng.permutation(chosen)[: max(0, REFERENCES - len(chosen))]
    varied = (augment(train.pixels[place], np.random.default_rng((seed, place))) for place in again)
    views = [LabeledAnswers(_ask(predictor, train.pixels[chosen]), train.classes[chosen])]
    if len(again):
        views.append(LabeledAnswers(_ask(predictor, varied), train.classes[again]))
    return pool(views)


def _ask(predictor: Predictor, pictures: Iterable[np.ndarray]) -> Answers:
    return answer_all(predictor, pictures, lambda done: None)


def _photos(split: Split, labels: Sequence[str]) -> list[LabeledPhoto]:
    return [
        LabeledPhoto(path, labels[number])
        for path, number in zip(split.paths, split.classes, strict=True)
    ]


def calibrate_run(
    run: Path,
    train: Split,
    val: Split,
    hazards: Sequence[str] | None,
    costs: Costs,
    seed: int,
    masks: Path | None = None,
) -> CalibrationResult:
    """Calibrate a finished run and write `calibration.json` and `unknown.npz` into it.

    `hazards` None: the default ones among the run's labels.

    Raises:
        BadInput: the run cannot be used, or a hazard is none of its labels.
    """
    predictor = open_predictor(run, threads=2)
    hazards = find_hazards(run, predictor.labels, hazards)
    found = calibrate(predictor, train, val, hazards, costs, seed, masks)
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
    """What was found, in a few lines."""
    parameters, figures = found.parameters, found.figures
    decided = figures["decisions"]["photographed"]
    lines = [
        f"temperature {parameters.temperature:.2f}: calibration error on val "
        f"{figures['ece_before']:.1%} -> {figures['ece']:.1%}",
        f"unknown things by {parameters.unknown.score}, under {parameters.unknown.threshold:.3g}; "
        f"mean AUROC on stand-ins "
        + ", ".join(f"{name} {each['mean_auroc']:.3f}" for name, each in _ranked(figures)),
        f"val: {_said(decided['right'])} in their bin, {_said(decided['wrong'])} in another, "
        f"{_said(decided['manual'])} by hand",
    ]
    for hazard, each in decided["hazards"].items():
        lines.append(
            f"{hazard}, suspected from {each['level']:.2%} on: {_said(each['recall'])} found, its "
            f"bin {_said(each['precision'])} pure, {_said(each['suspected'])} of the others by hand"
        )
    return lines + hazard_notes(parameters.labels, parameters.hazards)


def _ranked(figures: dict) -> list[tuple[str, dict]]:
    return sorted(figures["detectors"].items(), key=lambda entry: -entry[1]["mean_auroc"])


def _said(share: dict) -> str:
    if share["share"] is None:
        return "none"
    return f"{share['share']:.1%} ({share['low']:.1%} to {share['high']:.1%})"


def main(
    run: Annotated[Path, typer.Option(help="the finished run to calibrate")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="the photos, as for training; without it those of the run's split.csv"),
    ] = None,
    hazard: Annotated[
        list[str] | None, typer.Option(help="label that must reach no other bin; repeatable")
    ] = None,
    wrong_cost: Annotated[
        float, typer.Option(min=1, help="an item in the wrong bin, in items sorted by hand")
    ] = Costs.wrong,
    hazard_cost: Annotated[float, typer.Option(min=1, help="the same, of a hazard")] = Costs.hazard,
    masks: Annotated[
        Path | None, typer.Option(help="the photos' items, as of segment.py; without, cut out here")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="figures as JSON on stdout")] = False,
) -> None:
    """Calibrate a run on val. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(run):
        predictor = open_predictor(run, threads=2)
        find_hazards(run, predictor.labels, hazard)
        sources = data or [run / SPLIT_FILE]
        dataset = read_dataset(sources, predictor.size, seed, say, not data)
        if dataset.labels != predictor.labels:
            raise BadInput(f"{sources[0]}: other classes than the run's")
        costs = Costs(wrong_cost, hazard_cost)
        found = calibrate_run(run, dataset.train, dataset.val, hazard, costs, seed, masks)
        for line in describe(found):
            say(line)
        if as_json:
            print_json({"parameters": found.parameters.model_dump(mode="json"), **found.figures})


if __name__ == "__main__":
    typer.run(main)
