"""A class that a bundle was trained without, taught from few photos: what it and the others get.

    python benchmarks/teach.py --bundle BUNDLE --label Battery --teach train/Battery \
        --test test/Battery --known test --rubbish RUBBISH --electronics OTHERS

`--known` is a folder with CLASS/*.jpg of the bundle's own classes. Each draw teaches from other
photos. One thread. Nothing of TensorFlow is loaded.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.process_setup import limit_threads

limit_threads()

import numpy as np

from edge.bundle.bundle import load_bundle, open_classifier
from edge.config import Config, decision_rules
from edge.decision.decide import DecisionRules, decide
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.classifier import Classifier, Prediction
from edge.learned.adapted import Adapted, adapt
from edge.learned.crops import crop_of_photo, crops_in
from edge.learned.store import Generation
from edge.learned.teaching import Base, NewClass, teach

CROPS = 20
TIMED = 200


@dataclass(frozen=True)
class Answers:
    """The bundle's answers to photos, with what is on them."""

    labels: list[str]
    predictions: list[Prediction]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    options = parse(arguments)
    try:
        figures = measure(options)
    except EwasteError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(figures, indent=1) if options.json else as_text(figures))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description="Teach a class that a bundle does not know.")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--label", required=True, help="name of the class")
    parser.add_argument("--teach", type=Path, required=True, help="its photos to teach from")
    parser.add_argument("--test", type=Path, required=True, help="its photos to judge by")
    parser.add_argument("--known", type=Path, required=True, help="CLASS/*.jpg of the old classes")
    parser.add_argument("--rubbish", type=Path, nargs="+", required=True)
    parser.add_argument("--electronics", type=Path, nargs="+", required=True)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Teach once for each draw, and judge."""
    bundle = load_bundle(options.bundle)
    classifier = open_classifier(bundle, threads=1)
    config = Config()
    config = config.model_copy(update={"bins": {}, "gates": ()})
    rules_of = partial(decision_rules, config, bundle)
    answers = partial(answers_to, classifier)
    asked = {
        "new": answers([options.test], options.label),
        "old": answers([options.known / each for each in bundle.labels]),
        "rubbish": answers(options.rubbish, ""),
        "electronics": answers(options.electronics, ""),
    }
    names = sorted(each.name for each in options.teach.iterdir())
    before = right(asked["old"], rules_of(None, None), None)
    draws = []
    for draw in range(options.draws):
        chosen = np.random.default_rng(draw).permutation(names)[:CROPS]
        crops = [crop_of_photo(options.teach / name) for name in chosen]
        started = time.process_time()
        try:
            taught = teach(
                NewClass(options.label, None, False, crops),
                Base(bundle, classifier, None, rules_of),
                (),
                time.time(),
            )
        except Refused as refused:
            draws.append({"draw": draw, "refused": str(refused)})
            continue
        seconds = time.process_time() - started
        sealed = taught.manifest.model_copy(update={"files": {}})
        generation = Generation(1, Path("draw"), sealed, "0" * 64, taught.contents)
        adapted = adapt(bundle, classifier, generation, rules_of)
        draws.append(
            {
                "draw": draw,
                "left_out": len(taught.left_out),
                "leave_one_out": taught.manifest.classes[0].figures.recall,
                "prototypes": taught.manifest.classes[0].prototypes,
                "recall": share(asked["new"], adapted, options.label),
                "old_before": before,
                "old_after": right(asked["old"], adapted.rules, adapted),
                "rubbish_taken": share(asked["rubbish"], adapted, options.label),
                "electronics_taken": share(asked["electronics"], adapted, options.label),
                "teaching_cpu_s": seconds,
                "more_ms": extra_ms(adapted, asked["old"]),
            }
        )
    done = [each for each in draws if "refused" not in each]
    mean = {
        name: float(np.mean([float(each[name]) for each in done]))
        for name in (done[0] if done else ())
        if name != "draw"
    }
    loaded = [name for name in ("tensorflow", "keras", "sklearn") if name in sys.modules]
    return {"label": options.label, "mean": mean, "draws": draws, "loaded": loaded}


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


def share(answers: Answers, adapted: Adapted, label: str) -> float:
    """The share of photos that are decided to be of a class."""
    verdicts = [
        decide([adapted.classifier.adapted(each)], adapted.rules) for each in answers.predictions
    ]
    return sum(each.label == label for each in verdicts) / len(verdicts)


def right(answers: Answers, rules: DecisionRules, adapted: Adapted | None) -> float:
    """The share of photos whose label is right."""
    found = answers.predictions
    if adapted is not None:
        found = [adapted.classifier.adapted(each) for each in found]
    verdicts = [decide([each], rules) for each in found]
    hits = [each.label == label for each, label in zip(verdicts, answers.labels, strict=True)]
    return sum(hits) / len(hits)


def extra_ms(adapted: Adapted, answers: Answers) -> float:
    """What the taught class adds to a prediction, ms, the median."""
    times = []
    for each in (answers.predictions * TIMED)[:TIMED]:
        started = time.perf_counter()
        adapted.classifier.adapted(each)
        times.append((time.perf_counter() - started) * 1000)
    return float(np.median(times))


def as_text(figures: dict[str, object]) -> str:
    """The figures, a line for each draw and one for their mean."""
    lines = [f"{figures['label']}: loaded of the workstation: {figures['loaded'] or 'nothing'}"]
    for each in (*figures["draws"], {"draw": "mean", **figures["mean"]}):
        shown = (f"{name} {value:.3f}" for name, value in each.items() if isinstance(value, float))
        lines.append(f"{each['draw']}: " + (str(each.get("refused", "")) or ", ".join(shown)))
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
