"""Evaluate a run or a bundle, and write its report."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.calibration.answers import Answers
from edge.calibration.decisions import judge_decisions, share, verdicts
from edge.calibration.ood_limit import threshold_keeping
from edge.calibration.reliability import (
    calibration_error,
    calibration_error_by_chance,
    reliability,
)
from edge.errors import BadInput, EwasteError
from edge.inference.classifier import softmax
from edge.inference.ood import energy
from edge.inference.preprocess import model_input
from edge.labels import UNKNOWN, also_called
from edge.photos.dataset import Survey, name_in_dataset, of_split, survey, survey_photos
from edge.photos.listing import UNSPLIT, split_named
from edge.photos.reading import LabeledPhoto, read_photos
from train.augmentation.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from train.data.balance import balanced_indices
from train.evaluation.background_swap import (
    BACKGROUNDS,
    SegmentedItem,
    on_background,
    segment_items,
)
from train.evaluation.metrics import measure
from train.evaluation.ood_detectors import max_softmax, rejection
from train.evaluation.options import EvaluationRequest
from train.evaluation.predictor import Predictor, answer_all, open_predictor
from train.evaluation.report import Example, Mistake, render_report
from train.evaluation.sources import source_figures
from train.pages import write_figures_and_page
from train.progress import bar

log = logging.getLogger(__name__)

MAX_MISTAKES = 12
SEED = 0


@dataclass(frozen=True)
class EvaluationPhotos:
    """Photos at the model's size.

    Attributes:
        photos: where each lies and what is on it.
        pixels: uint8 RGB [photos, S, S, 3].
        skipped: how many could not be read.
    """

    photos: tuple[LabeledPhoto, ...]
    pixels: np.ndarray
    skipped: int

    @property
    def labels(self) -> list[str]:
        """What is on each."""
        return [photo.label for photo in self.photos]


def evaluate(request: EvaluationRequest) -> tuple[dict, str]:
    """Judge a model.

    Returns the figures (what `evaluate.json` holds) and the report (HTML).

    Raises:
        EwasteError: the model or the photos cannot be used.
    """
    started = time.monotonic()
    predictor = open_predictor(request.model, request.threads)
    found = _find_known(request, predictor.labels)
    ood_photos = []
    if request.unknown:
        ood_photos = _surveyed(survey_photos(request.unknown)).listing[UNSPLIT]
    pictures = _read(found, predictor.size)
    classes = np.array([predictor.labels.index(label) for label in pictures.labels])
    answers = _answer(predictor, "classifying", pictures.pixels, len(pictures.pixels))
    probabilities = softmax(answers.logits, predictor.temperature)
    parts = reliability(classes, probabilities)
    raw = reliability(classes, softmax(answers.logits))
    by_chance, by_chance_high = calibration_error_by_chance(probabilities)
    figures = {
        "model": _described(predictor),
        "data": request.data.name,
        "split": "+".join(request.splits),
        "skipped": pictures.skipped,
        **measure(classes, probabilities, predictor.labels),
        "accuracy_clean": _accuracy_clean(request, pictures, classes, probabilities),
        "ece": calibration_error(parts),
        "ece_uncalibrated": calibration_error(raw),
        "ece_by_chance": by_chance,
        "ece_by_chance_high": by_chance_high,
        "reliability": parts,
        "decisions": judge_decisions(answers, classes, predictor.temperature, predictor.rules),
        "unknown_auroc": None,
        "unknown_accepted_at_95": None,
        "unknown_accepted_at_95_low": None,
        "unknown_accepted_at_95_high": None,
        "unknown": None,
        "corruptions": None,
        "background": None,
        "out_of_source": [_judge_source(predictor, each) for each in request.sources],
    }
    if ood_photos:
        unknown = judge_unknown(predictor, answers, _read(ood_photos, predictor.size))
        figures["unknown"] = unknown
        for figure in ("auroc", "accepted_at_95", "accepted_at_95_low", "accepted_at_95_high"):
            figures[f"unknown_{figure}"] = unknown["scores"][unknown["score"]][figure]
    if request.corruption_photos:
        chosen = balanced_indices(classes, request.corruption_photos)
        figures["corruptions"] = judge_corruptions(
            predictor, pictures.pixels[chosen], classes[chosen]
        )
    examples: list[Example] = []
    if request.background:
        figures["background"], examples = judge_background(
            predictor, pictures, classes, probabilities, request.masks
        )
    mistakes = worst_mistakes(predictor, pictures, classes, probabilities)
    figures["worst"] = [
        {
            "photo": name_in_dataset(request.data, mistake.photo),
            "truth": mistake.truth,
            "answer": mistake.answer,
            "confidence": mistake.confidence,
        }
        for mistake in mistakes
    ]
    figures["seconds"] = round(time.monotonic() - started, 1)
    return figures, render_report(figures, mistakes, examples)


def _judge_source(predictor: Predictor, source: Path) -> dict:
    """Figures of a dataset of other people's photos, as of `source_figures`, with its name.

    Raises:
        BadInput: it shows none of the classes.
    """
    listed = [photo for each in _surveyed(survey(source)).listing.values() for photo in each]
    known = [photo for photo in listed if photo.label in predictor.labels]
    strange = sorted({photo.label for photo in listed} - set(predictor.labels))
    if not known:
        named = ", ".join(strange)
        raise BadInput(f"{source}: shows none of the model's classes (it has {named})")
    if strange:
        log.warning(
            f"{source}: classes that the model does not know are left out: {', '.join(strange)}"
        )
    pictures = _read(known, predictor.size)
    answers = _answer(predictor, source.name, pictures.pixels, len(pictures.pixels))
    classes = np.array([predictor.labels.index(label) for label in pictures.labels])
    return {
        "source": source.name,
        "skipped": pictures.skipped,
        "left_out": strange,
        **source_figures(answers, classes, predictor.temperature, predictor.rules),
    }


def judge_unknown(predictor: Predictor, known: Answers, pictures: EvaluationPhotos) -> dict:
    """Measure the separation of OOD photos from known items, by score and by category.

    The `score` in use is that of the device's detector, or without one the confidence. `kept` and
    `accepted` are the known items and the other things that the device gives a label.
    """
    others = _answer(predictor, "OOD photos", pictures.pixels, len(pictures.pixels))
    scores = {
        "max_softmax": [
            max_softmax(each.logits, predictor.temperature) for each in (known, others)
        ],
        "energy": [energy(each.logits, predictor.temperature) for each in (known, others)],
    }
    detector, used = predictor.rules.ood_detector, "max_softmax"
    if detector is not None:
        used = detector.rule.score
        scores[used] = [detector.score(each.logits, each.embeddings) for each in (known, others)]
    of_known, of_others = scores[used]
    limit = threshold_keeping(of_known)
    categories = np.array(pictures.labels)
    labeled = [
        share(
            [
                made.label != UNKNOWN
                for made in verdicts(each, predictor.temperature, predictor.rules)
            ]
        )
        for each in (known, others)
    ]
    return {
        "images": len(categories),
        "skipped": pictures.skipped,
        "score": used,
        "scores": {name: rejection(*both) for name, both in scores.items()},
        "accepted_by_category": {
            category: share(of_others[categories == category] >= limit)
            for category in sorted(set(pictures.labels))
        },
        "kept": labeled[0],
        "accepted": labeled[1],
    }


def judge_corruptions(predictor: Predictor, pixels: np.ndarray, classes: np.ndarray) -> dict:
    """Accuracy on corrupted photos, by kind and severity; `mean` is over the kinds."""
    kinds = {}
    for kind in CORRUPTIONS:
        accuracy = []
        for severity in range(1, SEVERITIES + 1):
            corrupted = (
                corrupt(each, kind, severity, SEED + index) for index, each in enumerate(pixels)
            )
            answers = _answer(predictor, f"{kind} {severity}", corrupted, len(pixels))
            accuracy.append(float((answers.logits.argmax(axis=1) == classes).mean()))
        kinds[kind] = {"accuracy": accuracy, "mean": float(np.mean(accuracy))}
    return {
        "images": len(classes),
        "mean": float(np.mean([kind["mean"] for kind in kinds.values()])),
        "kinds": kinds,
    }


def judge_background(
    predictor: Predictor,
    pictures: EvaluationPhotos,
    classes: np.ndarray,
    probabilities: np.ndarray,
    masks: Path | None,
) -> tuple[dict, list[Example]]:
    """Figures (`train.evaluation.metrics.measure`) of the same items on other backgrounds, and
    examples.

    Photos without a segmented item are left out everywhere, the original pictures included.
    """
    with bar("segmenting", len(pictures.photos)) as on_step:
        items = []
        for item in segment_items(pictures.photos, predictor.size, masks):
            items += [item] if item else []
            on_step(1)
    result: dict = {
        "images": len(items),
        "left_out": len(pictures.photos) - len(items),
        "backgrounds": {},
    }
    if not items:
        return result, []
    chosen = [item.index for item in items]
    of_items = classes[chosen]
    measured = {"original": probabilities[chosen]}
    for background in BACKGROUNDS:
        laid = on_background(items, items, background, predictor.size, SEED)
        answers = _answer(predictor, f"on {background}", laid, len(items))
        measured[background] = softmax(answers.logits, predictor.temperature)
    for background, answered in measured.items():
        figures = measure(of_items, answered, predictor.labels)
        del figures["confusion"]
        result["backgrounds"][background] = figures
    examples = []
    for place in _one_of_each(items):
        views = {"original": pictures.pixels[items[place].index]}
        for background in BACKGROUNDS:
            (views[background],) = on_background(
                [items[place]], items, background, predictor.size, SEED
            )
        answers_by_background = {
            background: predictor.labels[int(measured[background][place].argmax())]
            for background in measured
        }
        examples.append(Example(items[place].label, views, answers_by_background))
    return result, examples


def worst_mistakes(
    predictor: Predictor, pictures: EvaluationPhotos, classes: np.ndarray, probabilities: np.ndarray
) -> list[Mistake]:
    """The wrong answers that were given most confidently."""
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != classes)
    return [
        Mistake(
            photo=pictures.photos[index].path,
            truth=predictor.labels[classes[index]],
            answer=predictor.labels[predicted[index]],
            confidence=float(confidence[index]),
            pixels=pictures.pixels[index],
            activation=(
                predictor.activation(pictures.pixels[index], int(predicted[index]))
                if predictor.activation
                else None
            ),
        )
        for index in wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_MISTAKES]
    ]


def _find_known(request: EvaluationRequest, labels: Sequence[str]) -> list[LabeledPhoto]:
    photos: list[LabeledPhoto] = []
    surveyed = None
    for split in request.splits:
        if split_named(split) is None and request.data.is_dir():
            photos += _surveyed(survey_photos(request.data / split)).listing[UNSPLIT]
            continue
        surveyed = surveyed or _surveyed(survey(request.data))
        photos += of_split(request.data, surveyed.listing, split_named(split) or split)
    strange = sorted({photo.label for photo in photos} - set(labels))
    if strange:
        named = ", ".join(f"{label}{also_called(label, labels)}" for label in strange)
        raise BadInput(f"{request.data}: classes that the model does not know: {named}")
    return photos


def _surveyed(found: Survey) -> Survey:
    for note in found.notes():
        log.warning(note)
    return found


def _read(photos: Sequence[LabeledPhoto], size: int) -> EvaluationPhotos:
    kept, pixels = [], []
    for photo, image in read_photos(photos):
        kept.append(photo)
        pixels.append(model_input(image, size))
    return EvaluationPhotos(tuple(kept), np.stack(pixels), len(photos) - len(kept))


def _answer(predictor: Predictor, what: str, pictures: Iterable[np.ndarray], total: int) -> Answers:
    with bar(what, total) as on_step:
        return answer_all(predictor.answer, pictures, on_step)


def _described(predictor: Predictor) -> dict:
    names = ("name", "kind", "labels", "size", "temperature")
    rules, detector = predictor.rules, predictor.rules.ood_detector
    return {
        **{name: getattr(predictor, name) for name in names},
        "thresholds": dict(rules.thresholds),
        "hazard_thresholds": dict(rules.hazard_thresholds),
        "unknown": None if detector is None else detector.rule.model_dump(),
    }


def _accuracy_clean(
    request: EvaluationRequest,
    pictures: EvaluationPhotos,
    classes: np.ndarray,
    probabilities: np.ndarray,
) -> float | None:
    """Accuracy without the photos that `leaked` lists; None when there is no list."""
    if request.leaked is None:
        return None
    try:
        lines = request.leaked.read_bytes().decode("utf-8-sig", "surrogateescape").splitlines()
    except OSError as error:
        raise BadInput(f"{request.leaked}: not a readable list of photos ({error})") from None
    leaked = {(_folder(request.data) / line.strip()).resolve() for line in lines if line.strip()}
    clean = np.array([photo.path.resolve() not in leaked for photo in pictures.photos])
    if not clean.any():
        raise BadInput(f"{request.leaked}: lists every photo; nothing is left to judge on")
    return float((probabilities.argmax(axis=1) == classes)[clean].mean())


def _folder(data: Path) -> Path:
    """Where a dataset lies: the folder itself, or that of a CSV file."""
    return data.parent if data.is_file() else data


def _one_of_each(items: Sequence[SegmentedItem]) -> list[int]:
    """Place of the first item of each class."""
    first: dict[str, int] = {}
    for place, item in enumerate(items):
        first.setdefault(item.label, place)
    return sorted(first.values())


def write_evaluation(out: Path, figures: dict, report: str) -> None:
    """Write `evaluate.json` and `report.html` into the folder `out`, which is made.

    Raises:
        EwasteError: they cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_figures_and_page(out / "evaluate.json", figures, out / "report.html", report)
    except OSError as error:
        raise EwasteError(f"{out}: cannot be written ({error.strerror}); choose another") from None


def log_summary(figures: dict, out: Path) -> None:
    """Log the main figures of an evaluation."""
    log.info(
        f"accuracy {figures['accuracy']:.1%} ({figures['accuracy_low']:.1%} to "
        f"{figures['accuracy_high']:.1%}) over {figures['images']} images, "
        f"calibration error {figures['ece']:.1%} (up to {figures['ece_by_chance_high']:.1%} by "
        "chance)"
    )
    for each in figures["out_of_source"]:
        log.info(
            f"{each['source']}: accuracy {each['accuracy']['share']:.1%} "
            f"({each['accuracy']['low']:.1%} to {each['accuracy']['high']:.1%}) over "
            f"{each['images']} images, mean of classes {each['mean_of_classes']:.1%}"
        )
    for hazard, each in figures["decisions"]["hazards"].items():
        log.info(
            f"{hazard}: {each['recall']['count']} of {each['recall']['of']} found, "
            f"{each['safe']['count']} in no other bin; for that {each['suspected']['count']} of "
            f"{each['suspected']['of']} others go to manual"
        )
    if figures["background"]:
        backgrounds = figures["background"]["backgrounds"].items()
        log.info(
            f"{figures['background']['images']} items on other backgrounds: "
            + ", ".join(f"{background} {each['accuracy']:.1%}" for background, each in backgrounds)
        )
    if figures["unknown"]:
        log.info(
            f"out-of-distribution: AUROC {figures['unknown_auroc']:.3f}, "
            f"{figures['unknown_accepted_at_95']:.1%} accepted when 95% of items are kept"
        )
    if figures["corruptions"]:
        log.info(f"corrupted pictures: mean accuracy {figures['corruptions']['mean']:.1%}")
    log.info(f"report: {out / 'report.html'}")
