"""A class that a bundle was trained without, taught from few photos: what it and the others get.

    python benchmarks/teach.py --bundle BUNDLE --label Battery --teach train/Battery \
        --test test/Battery --known test --rubbish RUBBISH --electronics OTHERS

`--known` is a folder with CLASS/*.jpg of the bundle's own classes. Each draw teaches from other
photos. One thread. Nothing of TensorFlow is loaded.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edge.bundle.bundle import load_bundle, open_classifier
from edge.config import Config, decision_rules
from edge.decision.decide import DecisionRules, decide
from edge.errors import BadInput, Refused
from edge.inference.classifier import Classifier, Prediction
from edge.learned.adapted import AdaptedClassifier, adapt
from edge.learned.crops import crop_of_photo, crops_in
from edge.learned.store import Generation
from edge.learned.teaching import Base, NewClass, teach
from train.command import command

CROPS = 20
TIMED = 200


@dataclass(frozen=True)
class Answers:
    """The bundle's answers to photos, with what is on them."""

    labels: list[str]
    predictions: list[Prediction]


@dataclass(frozen=True)
class TaughtPhotos:
    """The folders of a measurement.

    Attributes:
        bundle: directory of the bundle.
        label: name of the class.
        teach: its photos to teach from.
        test: its photos to judge by.
        known: CLASS/*.jpg of the old classes.
        rubbish: photos of rubbish.
        electronics: photos of other electronics.
    """

    bundle: Path
    label: str
    teach: Path
    test: Path
    known: Path
    rubbish: Sequence[Path]
    electronics: Sequence[Path]


def main(
    *,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")],
    label: Annotated[str, typer.Option(help="name of the class")],
    teach_from: Annotated[Path, typer.Option("--teach", help="its photos to teach from")],
    test: Annotated[Path, typer.Option(help="its photos to judge by")],
    known: Annotated[Path, typer.Option(help="folder CLASS/*.jpg of the old classes")],
    rubbish: Annotated[list[Path], typer.Option(help="folder of rubbish; repeatable")],
    electronics: Annotated[
        list[Path], typer.Option(help="folder of other electronics; repeatable")
    ],
    draws: Annotated[int, typer.Option(min=1, help="number of draws of the photos")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Teach a class that a bundle does not know. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command():
        folders = TaughtPhotos(bundle, label, teach_from, test, known, rubbish, electronics)
        figures = measure(folders, draws)
    print(json.dumps(figures, indent=1) if as_json else as_text(figures))


def measure(options: TaughtPhotos, count: int) -> dict[str, Any]:
    """Teach once for each draw, and judge."""
    bundle = load_bundle(options.bundle)
    classifier = open_classifier(bundle, threads=1)
    config = Config().model_copy(update={"bins": {}, "gates": ()})
    base = Base(bundle, classifier, None, partial(decision_rules, config, bundle))
    answers = partial(answers_to, classifier)
    asked = {
        "new": answers([options.test], options.label),
        "old": answers([options.known / each for each in bundle.labels]),
        "rubbish": answers(options.rubbish, ""),
        "electronics": answers(options.electronics, ""),
    }
    names = sorted(each.name for each in options.teach.iterdir())
    draws = []
    for draw in range(count):
        chosen = np.random.default_rng(draw).permutation(names)[:CROPS]
        crops = [crop_of_photo(options.teach / name) for name in chosen]
        try:
            found = figures_of(NewClass(options.label, None, False, crops), base, asked)
        except Refused as refused:
            found = {"refused": str(refused)}
        draws.append({"draw": draw, **found})
    done = [each for each in draws if "refused" not in each]
    mean = {
        name: float(np.mean([each[name] for each in done]))
        for name in (done[0] if done else ())
        if name != "draw"
    }
    loaded = [name for name in ("tensorflow", "keras", "sklearn") if name in sys.modules]
    return {"label": options.label, "mean": mean, "draws": draws, "loaded": loaded}


def figures_of(new: NewClass, base: Base, asked: Mapping[str, Answers]) -> dict[str, Any]:
    """Teach a class, and judge what is decided on photos with it.

    Raises:
        Refused: it cannot be taught.
    """
    started = time.process_time()
    taught = teach(new, base, (), time.time())
    seconds = time.process_time() - started
    sealed = taught.manifest.model_copy(update={"files": {}})
    generation = Generation(1, Path("draw"), sealed, "0" * 64, taught.contents)
    adapted = adapt(base.bundle, base.classifier, generation, base.rules_of)
    classifier, rules = adapted.classifier, adapted.rules
    assert isinstance(classifier, AdaptedClassifier), "a class was taught"
    after = {name: learned(each, classifier) for name, each in asked.items()}
    (made,) = taught.manifest.classes
    return {
        "left_out": len(taught.left_out),
        "left_out_recall": made.figures.recall,
        "recall": right(after["new"], rules),
        "old_before": right(asked["old"], base.rules_of(None, None)),
        "old_after": right(after["old"], rules),
        "rubbish_taken": share(after["rubbish"], rules, new.label),
        "electronics_taken": share(after["electronics"], rules, new.label),
        "teaching_cpu_s": seconds,
        "more_ms": extra_ms(classifier, asked["old"]),
    }


def answers_to(
    classifier: Classifier, folders: Sequence[Path], label: str | None = None
) -> Answers:
    """The bundle's answers to all photos of folders; None: each folder is named by its class."""
    labels, predictions = [], []
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder")
        crops, _ = crops_in(folder)
        for crop in crops:
            labels.append(folder.name if label is None else label)
            predictions.append(classifier.predict(crop.pixels))
    return Answers(labels, predictions)


def learned(answers: Answers, classifier: AdaptedClassifier) -> Answers:
    """The same answers with what was learned."""
    return Answers(answers.labels, [classifier.adapted(each) for each in answers.predictions])


def share(answers: Answers, rules: DecisionRules, label: str) -> float:
    """The share of photos that are decided to be of a class."""
    return right(Answers([label] * len(answers.predictions), answers.predictions), rules)


def right(answers: Answers, rules: DecisionRules) -> float:
    """The share of photos whose label is right."""
    verdicts = [decide([each], rules) for each in answers.predictions]
    hits = [each.label == label for each, label in zip(verdicts, answers.labels, strict=True)]
    return sum(hits) / len(hits)


def extra_ms(classifier: AdaptedClassifier, answers: Answers) -> float:
    """What the taught class adds to a prediction, ms, the median."""
    times = []
    for each in (answers.predictions * TIMED)[:TIMED]:
        started = time.perf_counter()
        classifier.adapted(each)
        times.append((time.perf_counter() - started) * 1000)
    return float(np.median(times))


def as_text(figures: dict[str, Any]) -> str:
    """The figures, a line for each draw and one for their mean."""
    lines = [f"{figures['label']}: loaded of the workstation: {figures['loaded'] or 'nothing'}"]
    for each in (*figures["draws"], {"draw": "mean", **figures["mean"]}):
        shown = (f"{name} {value:.3f}" for name, value in each.items() if isinstance(value, float))
        lines.append(f"{each['draw']}: " + (str(each.get("refused", "")) or ", ".join(shown)))
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
