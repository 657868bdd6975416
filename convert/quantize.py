"""Turn a training run into a proved bundle: python convert/quantize.py --run RUN --data DIR ..."""

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

import edge
from convert.proof.dataset import Split, find_judged, find_split, find_splits, fingerprint, stratify
from convert.proof.golden import make_golden
from convert.proof.judging import BUNDLED, PARTLY, VARIANTS, Candidate, Judge, ask_all
from convert.proof.layers import LayerError, fewest_in_float
from convert.proof.model_card import write_card
from convert.proof.parity import (
    FP32,
    Answers,
    Images,
    OodScore,
    Trained,
    changed_answers,
    confidence,
    device_engine,
    keras_engine,
)
from convert.proof.parity_report import write_report
from convert.proof.run import Run, read_run
from convert.proof.timing import median_in_turns
from convert.proof.variants import Row, draw_table
from edge.bundle.bundle import Bundle, check_replaceable, write_bundle
from edge.bundle.manifest import (
    CARD,
    GOLDEN,
    MODEL,
    UNKNOWN_FILE,
    Calibration,
    InputContract,
    Manifest,
    ParityGate,
)
from edge.bundle.signature import read_key
from edge.config import Config, read_config, read_toml
from edge.errors import BadInput, EwasteError, Refused
from edge.files import write_whole
from edge.inference.preprocess import model_input
from edge.labels import also_called, hazard_notes, normalized
from edge.photos.dataset import dataset_names
from edge.photos.reading import read_photos
from edge.quiet import quiet
from edge.terminal import out as results
from train.command import command, print_json, print_table, problem
from train.learning.progress import say

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from convert.tflite.converter import Converter

VERSIONED = ("tensorflow", "keras", "numpy", "ai-edge-litert")
QUANTIZERS = ("tflite", "ai-edge")
SHOWN_LAYERS = 12

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to convert, and how.

    Attributes:
        run: the training run directory.
        data: datasets (`edge.photos.dataset.find_dataset`) with train and test or val photos; one
            without splits is split as the run says.
        out: the bundle to write.
        variants: of `VARIANTS`, in the order they are told; a bundle is made of int8 only.
        splits: which splits of the datasets the variants are judged on.
        quantizer: one of `QUANTIZERS`.
        calibration: how many training photos the ranges are taken from.
        seed: of their choice and of the golden drawings.
        gate: what the quantized model must reach.
        slow_images: on how many images the variants in `SLOW` are judged.
        threads: of an inference.
        image_size: the model's input, px; None: that of the training.
        keep_float: where int8 fails the gate, leave the fewest layers that make it hold in float.
        explain: rank the layers by what quantizing them loses.
        models: a folder for the .tflite files of all variants.
        notes: a Markdown file to end the model card with, such as what was measured on a line.
        line: the configuration of the line, for its bins.
        sign: a private key to sign the bundle with (`ewaste-edge keygen`).
    """

    run: Path
    data: tuple[Path, ...]
    out: Path
    variants: tuple[str, ...] = (BUNDLED,)
    splits: tuple[str, ...] = ("val", "test")
    quantizer: str = "tflite"
    calibration: int = 200
    seed: int = 0
    gate: ParityGate = field(default_factory=ParityGate)
    slow_images: int = 30
    threads: int = 2
    image_size: int | None = None
    keep_float: bool = False
    explain: bool = False
    models: Path | None = None
    notes: Path | None = None
    line: Config = field(default_factory=Config)
    sign: Path | None = None

    def beside(self, ending: str) -> Path:
        """A report beside the bundle; it may show photos, so it never lies within."""
        return self.out.with_name(f"{self.out.name}.{ending}")


@dataclass(frozen=True)
class Outcome:
    """What became of a conversion.

    Attributes:
        chosen: what the bundle is made of, or would be; else the first variant asked for.
        rows: the table.
        layers: ranked, where they were to be explained.
        bundle: what was written; None: nothing.
    """

    chosen: Candidate
    rows: tuple[Row, ...]
    layers: tuple[LayerError, ...]
    bundle: Bundle | None


def read_gate(path: Path | None) -> ParityGate:
    """The gate of a TOML file, with the strict defaults for what it does not name.

    Raises:
        BadInput: no such file, no TOML, or a key that is unknown or out of its range.
    """
    return ParityGate() if path is None else read_toml(path, ParityGate)


def quantize(request: Request, say: Say = say) -> Outcome:
    """Convert the model of a run to the variants asked for and, if int8 passes, write its bundle.

    `say` gets one line for each step. The comparison of what the bundle is made of, or would be,
    is written beside it: `OUT.parity.json`, and `OUT.parity.html` with pictures.

    Raises:
        BadInput: the run, the data or `out` cannot be used.
        Refused: the converter made a model that takes something else than raw RGB.
        EwasteError: the conversion or the writing failed.
    """
    check_replaceable(request.out)
    if request.notes is not None and not request.notes.is_file():
        raise BadInput(f"{request.notes}: no such file of notes for the model card")
    key = None if request.sign is None else read_key(request.sign)
    run = read_run(request.run).at_size(request.image_size)
    titles = dataset_names(request.data)
    listed = {data: find_splits(data, run.path, say) for data in titles}
    train = [
        find_split(data, listing, "train", run.labels, titles[data])
        for data, listing in listed.items()
    ]
    judged = [
        split
        for data, listing in listed.items()
        for split in find_judged(data, listing, request.splits, run.labels, titles[data], say)
    ]
    for note in hazard_notes(run.labels, run.calibration.parameters.hazards):
        say(note)
    if note := _binless(request.line, run.labels):
        say(note)
    if not run.calibration.calibrated:
        say(f"{run.path}: not calibrated (train/calibrate.py); the bundle gets the defaults")
    elif run.size != run.trained_size:
        say(f"thresholds and temperature were fitted at {run.trained_size} px, not {run.size}")
    try:
        with tempfile.TemporaryDirectory(prefix="ewaste-convert-") as scratch:
            converter, judge = _prepare(run, train, judged, request, Path(scratch), say)
            candidates = [
                _announced(judge.judge(variant, converter.convert(variant)), say)
                for variant in request.variants
            ]
            layers, chosen = _repair(converter, judge, candidates, request, say)
            if chosen not in candidates:
                candidates.append(chosen)
            return _conclude(run, request, converter, candidates, chosen, layers, key, say)
    except OSError as error:
        hint = "check space and rights, there and in the temporary folder"
        raise EwasteError(f"{problem(error, request.out)}; {hint}") from None


def _prepare(
    run: Run,
    train: Sequence[Split],
    judged: Sequence[Split],
    request: Request,
    scratch: Path,
    say: Say,
) -> tuple["Converter", Judge]:
    """Load the model, and ask Keras and unquantized TFLite about the images to judge on."""
    say("loading TensorFlow and the model")
    with quiet():  # imported here, for it takes seconds: what is wrong so far was told at once
        from convert.tflite import tensorflow_converter as tflite
        from convert.tflite.converter import Converter
    model = tflite.load_model(run)
    inputs = _calibration_inputs(train, run, request, say)
    say(f"converting, with ranges from {len(inputs)} training photos")
    graph = scratch / "graph"
    tflite.export_graph(model, graph)
    fp32 = tflite.convert_fp32(graph)
    converter = Converter(graph, fp32, inputs, request.quantizer, run.labels)
    images = _read_images(judged, run, say)
    compared = ", ".join(dict.fromkeys(("Keras", FP32, *request.variants)))
    say(f"comparing {compared} on {len(images.names)} photos")
    predict = tflite.float_answers(model)
    temperature = run.calibration.parameters.temperature
    keras = ask_all(keras_engine(predict, temperature), images.pixels, "asking Keras")
    judge = Judge(
        *(images, keras, request.gate, _score(run), temperature),
        *(request.threads, request.slow_images, scratch),
        _trained(run, images, keras, say),
    )
    judge.take_fp32(ask_all(device_engine(judge.load(fp32)), images.pixels, "asking fp32"))
    return converter, judge


def _trained(run: Run, images: Images, keras: Answers, say: Say) -> Trained | None:
    """What the run says of its model; None: nothing, or not of this input size."""
    if run.accuracy is None or run.size != run.trained_size:
        return None
    tested = np.array([split == "test" for split in images.splits])
    changed = None
    if run.confusion is not None:
        changed = changed_answers(run.confusion, images.truths[tested], keras.top[tested])
        if changed is None:
            say("the test photos are not those of the training run: only its accuracy is compared")
    if changed is None:
        return Trained(run.accuracy)
    return Trained(run.accuracy, int(tested.sum()), changed)


def _score(run: Run) -> OodScore:
    """What tells unknown things: the run's detector, else the confidence."""
    detector = run.calibration.detector
    if detector is None:
        return confidence(run.calibration.parameters.threshold)
    rule = detector.rule
    return OodScore(
        rule.score,
        rule.threshold,
        lambda answers: detector.score(answers.logits, answers.embeddings),
    )


def _calibration_inputs(train: Sequence[Split], run: Run, request: Request, say: Say) -> np.ndarray:
    """Photos to take the ranges from, the classes evenly: uint8 RGB [images, S, S, 3].

    Raises:
        BadInput: a class is not among them: what is large on its photos only would be cut off.
    """
    photos = stratify([photo for split in train for photo in split.photos], request.seed)
    inputs, seen = [], set()
    for photo, pixels in read_photos(photos[: request.calibration], say):
        inputs.append(model_input(pixels, run.size))
        seen.add(photo.label)
    missing = [label for label in run.labels if label not in seen]
    if missing:
        raise BadInput(
            f"no photo of {', '.join(missing)} among the {len(inputs)} training photos that ranges "
            "are taken from; give train photos of every class, or a larger --calibration"
        )
    return np.stack(inputs)


def _read_images(judged: Sequence[Split], run: Run, say: Say) -> Images:
    names, splits, truths, images, datasets = [], [], [], [], []
    for split in judged:
        for photo, pixels in read_photos(split.photos, say):
            names.append(split.name_of(photo))
            splits.append(split.name)
            datasets.append(split.title)
            truths.append(run.labels.index(photo.label))
            images.append(model_input(pixels, run.size))
    return Images(
        run.labels,
        tuple(names),
        tuple(splits),
        np.array(truths),
        np.stack(images),
        tuple(datasets),
    )


def _announced(candidate: Candidate, say: Say) -> Candidate:
    row = candidate.row
    say(f"{row.variant}: {row.agreement:.2%} as Keras, accuracy {row.accuracy:.2%}, {row.gate}")
    return candidate


def _repair(
    converter: "Converter",
    judge: Judge,
    candidates: Sequence[Candidate],
    request: Request,
    say: Say,
) -> tuple[tuple[LayerError, ...], Candidate]:
    """Say which layers quantizing hurts, and leave some of them in float, as far as is asked for.

    Returns the ranked layers and what a bundle is to be made of.
    """
    chosen = next((each for each in candidates if each.row.variant == BUNDLED), candidates[0])
    failing = chosen.row.variant == BUNDLED and bool(chosen.failed)
    if not request.explain and not (request.keep_float and failing):
        return (), chosen
    say("ranking the layers by what quantizing them loses")
    partly = converter.partly()
    ranked = partly.rank()
    if not (request.keep_float and failing):
        return tuple(ranked), chosen
    tried: dict[tuple[str, ...], Candidate] = {}

    def holds(names: Sequence[str]) -> bool:
        note = f"{len(names)} of {len(ranked)} layers in float"
        found = judge.judge(PARTLY, partly.convert(names), names, note)
        tried[tuple(names)] = found
        say(f"{note}: {found.row.agreement:.2%} as Keras, {found.row.gate}")
        return not found.failed

    kept = fewest_in_float(ranked, holds)
    if kept is None:
        say("not even with all layers in float does the gate hold")
        return tuple(ranked), chosen
    return tuple(ranked), tried[kept]


def _conclude(
    run: Run,
    request: Request,
    converter: "Converter",
    candidates: Sequence[Candidate],
    chosen: Candidate,
    layers: tuple[LayerError, ...],
    key: "Ed25519PrivateKey | None",
    say: Say,
) -> Outcome:
    """Write the models, the comparison and, if the gate holds, the bundle."""
    request.out.resolve().parent.mkdir(parents=True, exist_ok=True)
    if request.models is not None:
        request.models.mkdir(parents=True, exist_ok=True)
        for each in candidates:
            write_whole(request.models / f"{each.row.variant}.tflite", each.model)
    times = median_in_turns([each.classifier for each in candidates])
    rows = tuple(
        replace(each.row, median_ms=round(ms, 2))
        for each, ms in zip(candidates, times, strict=True)
    )
    write_report(request.beside("parity"), request.out.name, chosen, rows, layers)
    say(f"wrote the comparison: {request.beside('parity')}.json and .html")
    bundle = None
    if chosen.row.variant in (BUNDLED, PARTLY) and not chosen.failed:
        bundle = _write(run, request, chosen, len(converter.calibration), layers, key)
        say(f"wrote {request.out}, digest {bundle.digest[:12]}")
    return Outcome(chosen, rows, layers, bundle)


def _write(
    run: Run,
    request: Request,
    chosen: Candidate,
    calibration: int,
    layers: Sequence[LayerError],
    key: "Ed25519PrivateKey | None",
) -> Bundle:
    short = {each.layer.name: each.layer.short for each in layers}
    manifest = Manifest(
        name=request.out.resolve().name,
        created=_now(),
        **dict(run.calibration.parameters),
        bins=_bins(request.line, run.labels),
        input=InputContract(size=run.size),
        parity=chosen.parity.verdict(passed=True, gate=request.gate),
        training=run.figures,
        dataset=fingerprint(request.data),
        calibration=Calibration(images=calibration, seed=request.seed, quantizer=request.quantizer),
        float_layers=tuple(short[name] for name in chosen.float_layers),
        versions=_versions(request.quantizer),
    )
    card = write_card(manifest, run)
    if request.notes is not None:
        card += f"\n{request.notes.read_text(encoding='utf-8').strip()}\n"
    contents = {
        MODEL: chosen.model,
        GOLDEN: make_golden(chosen.classifier, request.seed),
        CARD: card.encode(),
    }
    if run.calibration.detector_data is not None:
        contents[UNKNOWN_FILE] = run.calibration.detector_data
    return write_bundle(request.out, manifest, contents, key)


def _bins(line: Config, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The line's bins, as far as the model knows their labels."""
    bins = {
        name: tuple(label for label in labels if normalized(label) in map(normalized, binned))
        for name, binned in line.bins.items()
    }
    return {name: binned for name, binned in bins.items() if binned}


def _binless(line: Config, labels: Sequence[str]) -> str | None:
    """A remark on the labels that are in no bin, and on what the bins may have meant by them."""
    bins = _bins(line, labels)
    left = [label for label in labels if not any(label in binned for binned in bins.values())]
    if not left:
        return None
    wanted = [label for binned in line.bins.values() for label in binned]
    named = ", ".join(f"{label}{also_called(label, wanted)}" for label in left)
    return f"in no bin, so they go to manual: {named}; --line FILE.toml names [bins]"


def _now() -> datetime:
    """The time, or that of SOURCE_DATE_EPOCH (reproducible-builds.org), in seconds since 1970."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is not None:
        return datetime.fromtimestamp(int(fixed), timezone.utc)
    return datetime.now(timezone.utc).replace(microsecond=0)


def _versions(quantizer: str) -> dict[str, str]:
    packages = (*VERSIONED, "ai-edge-quantizer") if quantizer == "ai-edge" else VERSIONED
    return {
        "ewaste-edge": edge.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _figures(outcome: Outcome, request: Request) -> dict:
    """What `--json` prints."""
    parity, failed = outcome.chosen.parity, outcome.chosen.failed
    verdict = parity.verdict(not failed, request.gate).model_dump(exclude={"passed", "gate"})
    return {
        "variant": parity.variant,
        **verdict,
        "changed": parity.quantized.changed,
        "gate": "refused" if failed else "passed",
        "failed": failed,
        "bundle": None if outcome.bundle is None else str(request.out),
        "float_layers": outcome.chosen.float_layers,
        "rows": [asdict(row) for row in outcome.rows],
        "layers": [{"layer": each.layer.name, "error": each.error} for each in outcome.layers],
    }


def _show(outcome: Outcome, request: Request) -> None:
    if outcome.layers:
        table = Table(title="layers, by the share of their signal that quantizing loses")
        table.add_column("lost", justify="right")
        table.add_column("layer")
        table.add_column("kept")
        for each in outcome.layers[:SHOWN_LAYERS]:
            kept = "in float" if each.layer.name in outcome.chosen.float_layers else ""
            table.add_row(f"{each.error:.3%}", each.layer.short, kept)
        print_table(table)
    print_table(draw_table(outcome.rows))
    row, parity = outcome.chosen.row, outcome.chosen.parity
    low, high = parity.accuracy_drop_interval
    results.print(
        f"{row.variant} gives the same answer as Keras on {row.agreement:.1%} of {row.images} "
        f"{parity.split} photos; accuracy {row.accuracy_float:.1%} -> {row.accuracy:.1%} "
        f"(lost {low:+.1%} to {high:+.1%}); gate {row.gate}"
    )
    if outcome.bundle is None and not outcome.chosen.failed:
        results.print("no bundle: one is made of int8 only")


def main(
    run: Annotated[Path, typer.Option(help="the training run directory")],
    data: Annotated[list[Path], typer.Option(help="the photos, as for training; repeatable")],
    out: Annotated[Path, typer.Option(help="the bundle to write")],
    variants: Annotated[
        str, typer.Option(help=f"all, or some of {','.join(VARIANTS)}; int8 becomes the bundle")
    ] = BUNDLED,
    splits: Annotated[str, typer.Option(help="splits of the data to judge on")] = "val,test",
    quantizer: Annotated[str, typer.Option(help=" or ".join(QUANTIZERS))] = QUANTIZERS[0],
    calibration: Annotated[int, typer.Option(min=1, help="training photos for the ranges")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    gate: Annotated[Path | None, typer.Option(help="TOML file that overrides the gate")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="rank the layers by what quantizing them loses")
    ] = False,
    keep_float: Annotated[
        str, typer.Option(help="auto: if int8 fails, leave the fewest layers needed in float")
    ] = "none",
    slow_images: Annotated[
        int, typer.Option(min=1, help="to judge variants without fast kernels on")
    ] = 30,
    threads: Annotated[int, typer.Option(min=1, help="of an inference")] = 2,
    image_size: Annotated[
        int | None, typer.Option(min=32, max=512, help="same weights, another input size, px")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="folder for all variants' models")] = None,
    notes: Annotated[Path | None, typer.Option(help="Markdown to end the model card with")] = None,
    line: Annotated[Path | None, typer.Option(help="the line's TOML, for its [bins]")] = None,
    sign: Annotated[
        Path | None, typer.Option(help="private key to sign the bundle with (ewaste-edge keygen)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="figures as JSON on stdout")] = False,
) -> None:
    """Quantize a run to int8 and prove it. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    with command(out):
        request = Request(
            run=run,
            data=tuple(data),
            out=out,
            variants=VARIANTS if variants == "all" else _chosen("--variants", variants, VARIANTS),
            splits=_chosen("--splits", splits, ("train", "val", "test")),
            quantizer=_chosen("--quantizer", quantizer, QUANTIZERS)[0],
            calibration=calibration,
            seed=seed,
            gate=read_gate(gate),
            slow_images=slow_images,
            threads=threads,
            image_size=image_size,
            keep_float=_chosen("--keep-float", keep_float, ("none", "auto"))[0] == "auto",
            explain=explain,
            models=models,
            notes=notes,
            line=read_config(line),
            sign=sign,
        )
        outcome = quantize(request)
        if as_json:
            print_json(_figures(outcome, request))
        else:
            _show(outcome, request)
        if outcome.chosen.failed:
            report = request.beside("parity.html")
            raise Refused("; ".join(outcome.chosen.failed) + f"; no bundle, see {report}")


def _chosen(option: str, given: str, known: Sequence[str]) -> tuple[str, ...]:
    """The names of a comma-separated list.

    Raises:
        BadInput: one is not among `known`.
    """
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",")))
    for name in names:
        if name not in known:
            raise BadInput(f"{option} {name}: expected one of {', '.join(known)}")
    return names


if __name__ == "__main__":
    typer.run(main)
