"""Turn a training run into a proved bundle: python convert/quantize.py --run RUN --data DIR ..."""

import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

import edge
from convert.dataset import (
    Split,
    find_judged,
    find_split,
    find_splits,
    fingerprint,
    stratify,
)
from convert.golden import make_golden
from convert.model_card import write_card
from convert.parity import (
    FP32,
    INT8,
    KERAS,
    LabelledInput,
    Parity,
    compare,
    device_engine,
    judge,
    keras_engine,
)
from convert.run import Run, read_run
from edge.bundle import Bundle, check_replaceable, write_bundle
from edge.classifier import Classifier
from edge.config import read_toml
from edge.errors import BadInput, EwasteError, Refused
from edge.files import write_whole
from edge.manifest import (
    CARD,
    GOLDEN,
    MODEL,
    UNKNOWN_FILE,
    Calibration,
    InputContract,
    Manifest,
    ParityGate,
)
from edge.photos import read_photos
from edge.preprocess import model_input
from edge.quiet import quiet

if TYPE_CHECKING:
    import keras

VERSIONED = ("tensorflow", "keras", "numpy", "ai-edge-litert")

console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to convert, and how.

    Attributes:
        run: the training run directory.
        data: datasets (`edge.photos.find_dataset`) with train and test or val photos; one without
            splits is split as the run says.
        out: the bundle to write.
        calibration: how many training photos the ranges are taken from.
        seed: of their choice and of the golden drawings.
        gate: what the quantised model must reach.
        notes: a Markdown file to end the model card with, such as what was measured on a line.
    """

    run: Path
    data: tuple[Path, ...]
    out: Path
    calibration: int = 200
    seed: int = 0
    gate: ParityGate = field(default_factory=ParityGate)
    notes: Path | None = None

    @property
    def report(self) -> Path:
        """Where a refusal is explained: beside `out`, for nothing is written there then."""
        return self.out.with_name(f"{self.out.name}.parity.json")


@dataclass(frozen=True)
class Candidate:
    """A quantised model, before it is known to be good.

    Attributes:
        model: the content of the `.tflite` file.
        classifier: the same, loaded as on the device.
        calibration: what its ranges were taken from.
        parity: how it compares with the float model.
    """

    model: bytes
    classifier: Classifier
    calibration: Calibration
    parity: Parity


def read_gate(path: Path | None) -> ParityGate:
    """The gate of a TOML file, with the strict defaults for what it does not name.

    Raises:
        BadInput: no such file, no TOML, or a key that is unknown or out of its range.
    """
    return ParityGate() if path is None else read_toml(path, ParityGate)


def quantize(request: Request, say: Say = console.print) -> tuple[Parity, list[str]]:
    """Quantise the model of a run and, if it passes the gate, write its bundle.

    The models are compared on the test splits of all datasets. `say` gets one line for each
    step. If the gate says no, the comparison is written to `request.report` instead.

    Returns the comparison and the criteria that failed (none: the bundle is written).

    Raises:
        BadInput: the run, the data or `out` cannot be used.
        Refused: the converter made a model that takes something else than raw RGB.
        EwasteError: the conversion or the writing failed.
    """
    check_replaceable(request.out)
    if request.notes is not None and not request.notes.is_file():
        raise BadInput(f"{request.notes}: no such file of notes for the model card")
    run = read_run(request.run)
    listed = {data: find_splits(data, run.path) for data in request.data}
    train = [find_split(data, listing, "train", run.labels) for data, listing in listed.items()]
    judged = [find_judged(data, listing, run.labels, say) for data, listing in listed.items()]
    with tempfile.TemporaryDirectory(prefix="ewaste-convert-") as scratch:
        if not run.levels.calibrated:
            say(f"{run.path}: not calibrated (train/calibrate.py); the bundle gets the defaults")
        candidate = _convert(run, train, judged, request, Path(scratch), say)
        failed = judge(candidate.parity, request.gate)
        if failed:
            report = {**candidate.parity.report(), "failed": failed}
            request.report.parent.mkdir(parents=True, exist_ok=True)
            write_whole(request.report, json.dumps(report, indent=2).encode() + b"\n")
            say(f"wrote the comparison: {request.report}")
        else:
            written = _write(run, request, candidate)
            request.report.unlink(missing_ok=True)
            say(f"wrote {request.out}, digest {written.digest[:12]}")
    return candidate.parity, failed


def _convert(
    run: Run,
    train: Sequence[Split],
    judged: Sequence[Split],
    request: Request,
    scratch: Path,
    say: Say,
) -> Candidate:
    say("loading TensorFlow and the model")
    with quiet():  # imported here, for it takes seconds: what is wrong so far was told at once
        from convert import tflite
    model = tflite.load_model(run)
    inputs = _calibration_inputs(train, run.size, request, say)
    say(f"converting, with ranges from {len(inputs)} training photos")
    tflite.export_graph(model, scratch / "graph")
    converted = {
        FP32: tflite.convert_fp32(scratch / "graph"),
        INT8: tflite.convert_int8(scratch / "graph", inputs),
    }
    classifiers = {
        variant: _load(content, scratch / f"{variant}.tflite", run)
        for variant, content in converted.items()
    }
    parity = _compare(model, classifiers, judged, run, say)
    used = Calibration(images=len(inputs), seed=request.seed)
    return Candidate(converted[INT8], classifiers[INT8], used, parity)


def _calibration_inputs(
    train: Sequence[Split], size: int, request: Request, say: Say
) -> np.ndarray:
    """Photos to take the ranges from, the classes evenly: uint8 RGB [images, size, size, 3]."""
    photos = stratify([photo for split in train for photo in split.photos], request.seed)
    chosen = read_photos(photos[: request.calibration], say)
    return np.stack([model_input(pixels, size) for _, pixels in chosen])


def _load(content: bytes, path: Path, run: Run) -> Classifier:
    path.write_bytes(content)
    with quiet():
        return Classifier(path, run.labels)


def _compare(
    model: "keras.Model",
    classifiers: dict[str, Classifier],
    judged: Sequence[Split],
    run: Run,
    say: Say,
) -> Parity:
    def images() -> Iterator[LabelledInput]:
        for split in judged:
            for photo, pixels in read_photos(split.photos, say):
                truth = run.labels.index(photo.label)
                yield LabelledInput(split.name_of(photo), truth, model_input(pixels, run.size))

    total = sum(len(split.photos) for split in judged)
    say(f"comparing Keras, fp32 and int8 on {total} photos")
    engines = {name: device_engine(classifier) for name, classifier in classifiers.items()}
    engines[KERAS] = keras_engine(model.predict_on_batch)
    hidden = not console.is_terminal
    watched = track(images(), "comparing", total, console=console, transient=True, disable=hidden)
    return compare(engines, watched, "+".join(sorted({split.name for split in judged})))


def _write(run: Run, request: Request, candidate: Candidate) -> Bundle:
    manifest = Manifest(
        name=request.out.resolve().name,
        created=datetime.now(timezone.utc).replace(microsecond=0),
        **dict(run.levels.levels),
        input=InputContract(size=run.size),
        parity=candidate.parity.verdict(passed=True, gate=request.gate),
        training=run.figures,
        dataset=fingerprint(request.data),
        calibration=candidate.calibration,
        versions={
            "ewaste-edge": edge.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in VERSIONED},
        },
    )
    card = write_card(manifest, run)
    if request.notes is not None:
        card += f"\n{request.notes.read_text(encoding='utf-8').strip()}\n"
    contents = {
        MODEL: candidate.model,
        GOLDEN: make_golden(candidate.classifier, request.seed),
        CARD: card.encode(),
    }
    if run.levels.detector_data is not None:
        contents[UNKNOWN_FILE] = run.levels.detector_data
    return write_bundle(request.out, manifest, contents)


def _figures(parity: Parity, failed: list[str], request: Request) -> dict:
    """What `--json` prints."""
    verdict = parity.verdict(not failed, request.gate).model_dump(exclude={"passed", "gate"})
    return {
        "variant": INT8,
        **verdict,
        "changed": parity.pairs[f"{INT8}-{KERAS}"].changed,
        "gate": "refused" if failed else "passed",
        "failed": failed,
        "bundle": None if failed else str(request.out),
    }


def _summary(figures: dict) -> str:
    return (
        f"int8 gives the same answer as Keras on {figures['agreement']:.1%} of {figures['images']} "
        f"{figures['split']} photos; accuracy {figures['accuracy_float']:.1%} -> "
        f"{figures['accuracy_quantised']:.1%}; gate {figures['gate']}"
    )


def main(
    run: Annotated[Path, typer.Option(help="the training run directory")],
    data: Annotated[list[Path], typer.Option(help="the photos, as for training; repeatable")],
    out: Annotated[Path, typer.Option(help="the bundle to write")],
    calibration: Annotated[int, typer.Option(min=1, help="training photos for the ranges")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    gate: Annotated[Path | None, typer.Option(help="TOML file that overrides the gate")] = None,
    notes: Annotated[Path | None, typer.Option(help="Markdown to end the model card with")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="figures as JSON on stdout")] = False,
) -> None:
    """Quantise a run to int8 and prove it. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    try:
        request = Request(run, tuple(data), out, calibration, seed, read_gate(gate), notes)
        figures = _figures(*quantize(request), request)
        print(json.dumps(figures) if as_json else _summary(figures))
        if figures["failed"]:
            raise Refused("; ".join(figures["failed"]) + f"; no bundle, see {request.report}")
    except EwasteError as error:
        console.print(f"error: {error}", style="red")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    typer.run(main)
