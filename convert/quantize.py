"""Convert a training run to a bundle: python convert/quantize.py --run RUN --data DIR --out OUT.

With --keras FILE instead of --run, it converts a Keras classifier that was trained elsewhere.
"""

import logging
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
from convert.imported.affine import PREPROCESSINGS
from convert.imported.imported_run import ImportOptions, import_run
from convert.proof.activation import LEAST_CORRELATION, MapParity
from convert.proof.calibration_images import calibration_images
from convert.proof.dataset import (
    PhotoSplit,
    find_comparison_splits,
    find_split,
    find_splits,
    fingerprint,
    stratify,
)
from convert.proof.evaluator import (
    INT8,
    SELECTIVE,
    VARIANTS,
    EvaluatedVariant,
    EvaluationOptions,
    VariantEvaluator,
    run_model,
)
from convert.proof.golden import make_golden
from convert.proof.model_card import write_card
from convert.proof.parity import (
    FP32,
    ComparisonImages,
    ModelOutputs,
    OodScore,
    TrainingClaim,
    confidence,
    least_changed,
)
from convert.proof.parity_report import write_report
from convert.proof.timing import interleaved_median_ms
from convert.proof.variants import VariantRow, variants_table
from convert.run import Run, read_run
from convert.tflite.layers import LayerSqnr, fewest_float_layers
from edge.bundle.bundle import Bundle, check_replaceable, write_bundle
from edge.bundle.manifest import (
    CARD,
    GOLDEN,
    MODEL,
    UNKNOWN_FILE,
    Calibration,
    InputContract,
    Manifest,
    MapContract,
    ParityGate,
)
from edge.bundle.signature import read_key
from edge.bundle.sizes import SizeDistribution
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
from train.evaluation.predictor import AnswerBatch, tflite_answers

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from convert.tflite.converter import Converter

log = logging.getLogger("convert.quantize")  # also where this module is __main__

VERSIONED = ("tensorflow", "keras", "numpy", "ai-edge-litert")
QUANTIZERS = ("tflite", "ai-edge")
SHOWN_LAYERS = 12
"""Rows of the layer table on the terminal."""


@dataclass(frozen=True)
class ConversionOptions:
    """What to convert, and how.

    Attributes:
        run: the training run directory.
        data: datasets (`edge.photos.dataset.find_dataset`) with train and test or val photos; one
            without splits is split as it was for training.
        out: the bundle to write.
        variants: names of variants (`VARIANTS`), in the order of the table; only int8 becomes a
            bundle.
        splits: the splits of the datasets that the variants are compared on.
        quantizer: one of `QUANTIZERS`.
        calibration: number of training photos for the ranges of activations; each counts as it is
            and in an augmented view.
        seed: of the choice of these photos and of the golden drawings.
        gate: the limits that the quantized model must keep.
        slow_images: number of images that the variants without fast kernels are compared on.
        threads: threads of an inference.
        image_size: height and width of the model's input, px; None: that of the training.
        keep_float: if int8 fails the gate, keep the fewest layers in float that make it pass.
        explain: rank the layers by SQNR.
        models: a folder for the .tflite files of all variants.
        notes: a Markdown file to append to the model card.
        line: the configuration of the line, for its bins and sizes.
        sign: a private key to sign the bundle with (`ewaste-edge keygen`).
        activation_map: add the output that shows where the model looked, where it can have one.
        equalize: give the channels like ranges before quantization (`convert.tflite.equalize`).
        reference: makes the batch predictor that the variants are compared with out of that of the
            run's model; None: they are compared with the run's model itself.
    """

    run: Path
    data: tuple[Path, ...]
    out: Path
    variants: tuple[str, ...] = (INT8,)
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
    activation_map: bool = True
    equalize: bool = True
    reference: Callable[[AnswerBatch], AnswerBatch] | None = None

    def beside(self, suffix: str) -> Path:
        """The path of a report next to the bundle, not inside it, since it may show photos."""
        return self.out.with_name(f"{self.out.name}.{suffix}")


@dataclass(frozen=True)
class ConversionResult:
    """The result of a conversion.

    Attributes:
        chosen: the variant of the bundle, or the first variant if there is no int8.
        rows: the table of variants.
        layers: the layers by SQNR, lowest first; empty if they were not ranked.
        bundle: the bundle; None: none was written.
    """

    chosen: EvaluatedVariant
    rows: tuple[VariantRow, ...]
    layers: tuple[LayerSqnr, ...]
    bundle: Bundle | None


def read_gate(path: Path | None) -> ParityGate:
    """Read the limits of the gate from a TOML file; missing keys keep their strict defaults.

    Raises:
        BadInput: the file is missing or not TOML, or a key is unknown or out of range.
    """
    return ParityGate() if path is None else read_toml(path, ParityGate)


def quantize(options: ConversionOptions) -> ConversionResult:
    """Convert the model of a run to some variants and, if int8 passes the gate, write its bundle.

    The parity report is written next to the bundle in any case: `OUT.parity.json`, and
    `OUT.parity.html` with photos.

    Args:
        options: what to convert, and how.

    Raises:
        BadInput: the run, the data or `out` cannot be used.
        Refused: the input of the converted model is not raw RGB.
        EwasteError: the conversion or the writing failed.
    """
    check_replaceable(options.out)
    if options.notes is not None and not options.notes.is_file():
        raise BadInput(f"{options.notes}: no such file (--notes)")
    key = None if options.sign is None else read_key(options.sign)
    run = read_run(options.run).at_size(options.image_size)
    titles = dataset_names(options.data)
    listed = {data: find_splits(data, run.path) for data in titles}
    train = [
        find_split(data, listing, name="train", labels=run.labels, title=titles[data])
        for data, listing in listed.items()
    ]
    compared = [
        split
        for data, listing in listed.items()
        for split in find_comparison_splits(
            data, listing, names=options.splits, labels=run.labels, title=titles[data]
        )
    ]
    for note in hazard_notes(run.labels, run.calibration.parameters.hazards):
        log.warning(note)
    if unbinned := _unbinned_note(options.line, run.labels):
        log.warning(unbinned)
    if not run.calibration.calibrated:
        log.warning(
            f"{run.path}: not calibrated (train/calibrate.py); the bundle gets default thresholds"
        )
    elif run.size != run.trained_size:
        log.warning(
            f"thresholds and temperature were fitted at {run.trained_size} px, not {run.size} px"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="ewaste-convert-") as scratch:
            converter, evaluator = _prepare(
                run,
                train=train,
                compared=compared,
                options=options,
                scratch=Path(scratch),
            )
            variants = []
            for name in options.variants:
                variants.append(evaluator.evaluate(name, converter.convert(name)))
                row = variants[-1].row
                log.info(
                    f"{name}: agreement with Keras {row.agreement:.2%}, accuracy "
                    f"{row.accuracy:.2%}, gate {row.gate}"
                )
            layers, chosen = _quantize_selectively(converter, evaluator, variants, options)
            if chosen not in variants:
                variants.append(chosen)
            log.info(_map_note(chosen.activation))
            rows = _write_reports(options, variants, chosen, layers)
            bundle = None
            if chosen.row.variant in (INT8, SELECTIVE) and not chosen.failed:
                bundle = _write_bundle(
                    run,
                    options,
                    chosen=chosen,
                    calibration=converter.calibration,
                    layers=layers,
                    key=key,
                )
                log.info(f"wrote {options.out}, digest {bundle.digest[:12]}")
            return ConversionResult(chosen, rows, layers, bundle)
    except OSError as error:
        hint = "check space and rights, there and in the temporary folder"
        raise EwasteError(f"{problem(error, options.out)}; {hint}") from None


def quantize_imported(source: ImportOptions, options: ConversionOptions) -> ConversionResult:
    """Convert a Keras classifier that was trained elsewhere, compared with its own pipeline.

    Args:
        source: the classifier.
        options: how to convert it; `run` and `reference` are replaced.

    Raises:
        As `quantize` and `convert.imported.imported_run.import_run`.
    """
    check_replaceable(options.out)
    with tempfile.TemporaryDirectory(prefix="ewaste-import-") as scratch:
        imported = import_run(source, Path(scratch))
        return quantize(replace(options, run=imported.path, reference=imported.answers))


def _prepare(
    run: Run,
    *,
    train: Sequence[PhotoSplit],
    compared: Sequence[PhotoSplit],
    options: ConversionOptions,
    scratch: Path,
) -> tuple["Converter", VariantEvaluator]:
    """Load the model, and run Keras and unquantized TFLite on the images of the comparison."""
    log.info("loading TensorFlow and the model")
    with quiet():  # imported here since it takes seconds: bad input is reported before
        from convert.tflite import tensorflow_converter as tflite
        from convert.tflite.converter import Converter
        from convert.tflite.equalize import equalize
    model = tflite.serving_model(tflite.load_model(run), options.activation_map)
    photos = stratify([photo for split in train for photo in split.photos], options.seed)
    inputs = calibration_images(
        photos[: options.calibration], labels=run.labels, size=run.size, seed=options.seed
    )
    log.info(f"converting, calibrated on {len(inputs) // 2} training photos")
    graph = scratch / "graph"
    tflite.export_graph(equalize(model, inputs) if options.equalize else model, graph)
    fp32 = tflite.convert_fp32(graph)
    converter = Converter(graph, fp32, inputs, options.quantizer, run.labels)
    images = _read_images(compared, run)
    names = ", ".join(dict.fromkeys(("Keras", FP32, *options.variants)))
    log.info(f"comparing {names} on {len(images.names)} photos")
    temperature = run.calibration.parameters.temperature
    answer = tflite.float_answers(model)
    if options.reference is not None:
        answer = options.reference(answer)
    keras = run_model(answer, images.pixels, temperature, "running Keras")
    evaluator = VariantEvaluator(
        images,
        keras,
        EvaluationOptions(
            gate=options.gate,
            score=_ood_score(run),
            temperature=temperature,
            threads=options.threads,
            slow_images=options.slow_images,
            scratch=scratch,
            claim=_training_claim(run, images, keras),
        ),
    )
    fp32_answers = tflite_answers(evaluator.load(fp32), with_maps=True)
    evaluator.set_fp32(run_model(fp32_answers, images.pixels, temperature, "running fp32"))
    return converter, evaluator


def _training_claim(
    run: Run, images: ComparisonImages, keras: ModelOutputs
) -> TrainingClaim | None:
    """What the run claims of its model; None: nothing, or nothing for this input size."""
    if run.accuracy is None or run.size != run.trained_size:
        return None
    tested = np.array([split == "test" for split in images.splits])
    changed = None
    if run.confusion is not None:
        changed = least_changed(run.confusion, images.classes[tested], keras.top[tested])
        if changed is None:
            log.warning(
                "the test photos are not those of the training run: only the accuracy is compared"
            )
    if changed is None:
        return TrainingClaim(run.accuracy)
    reached = float((keras.top[tested] == images.classes[tested]).mean())
    return TrainingClaim(run.accuracy, int(tested.sum()), changed, reached)


def _ood_score(run: Run) -> OodScore:
    """The score of the OOD detector of the run, or the confidence if it has none."""
    detector = run.calibration.detector
    if detector is None:
        return confidence(run.calibration.parameters.threshold)
    rule = detector.rule
    return OodScore(
        rule.score,
        rule.threshold,
        lambda outputs: detector.score(outputs.logits, outputs.embeddings),
    )


def _read_images(compared: Sequence[PhotoSplit], run: Run) -> ComparisonImages:
    names, splits, classes, images, datasets = [], [], [], [], []
    for split in compared:
        for photo, pixels in read_photos(split.photos):
            names.append(split.name_of(photo))
            splits.append(split.name)
            datasets.append(split.title)
            classes.append(run.labels.index(photo.label))
            images.append(model_input(pixels, run.size))
    return ComparisonImages(
        labels=run.labels,
        names=tuple(names),
        splits=tuple(splits),
        classes=np.array(classes),
        pixels=np.stack(images),
        datasets=tuple(datasets),
    )


def _quantize_selectively(
    converter: "Converter",
    evaluator: VariantEvaluator,
    variants: Sequence[EvaluatedVariant],
    options: ConversionOptions,
) -> tuple[tuple[LayerSqnr, ...], EvaluatedVariant]:
    """Rank the layers by SQNR and keep some of them in float, as far as the options ask for it.

    Returns:
        The ranked layers, empty if they were not needed, and the variant for the bundle.
    """
    chosen = next((each for each in variants if each.row.variant == INT8), variants[0])
    failing = chosen.row.variant == INT8 and bool(chosen.failed)
    if not options.explain and not (options.keep_float and failing):
        return (), chosen
    log.info("ranking the layers by SQNR")
    selective = converter.selective()
    ranked = selective.rank()
    if not (options.keep_float and failing):
        return tuple(ranked), chosen
    tried: dict[tuple[str, ...], EvaluatedVariant] = {}

    def passes(names: Sequence[str]) -> bool:
        note = f"{len(names)} of {len(ranked)} layers in float"
        found = evaluator.evaluate(SELECTIVE, selective.convert(names), names, note)
        tried[tuple(names)] = found
        log.info(f"{note}: agreement with Keras {found.row.agreement:.2%}, gate {found.row.gate}")
        return not found.failed

    kept = fewest_float_layers(ranked, passes)
    if kept is None:
        log.info("the gate refuses the model even with all layers in float")
        return tuple(ranked), chosen
    return tuple(ranked), tried[kept]


def _write_reports(
    options: ConversionOptions,
    variants: Sequence[EvaluatedVariant],
    chosen: EvaluatedVariant,
    layers: Sequence[LayerSqnr],
) -> tuple[VariantRow, ...]:
    """Write the models and the parity report; returns the table with latencies."""
    options.out.resolve().parent.mkdir(parents=True, exist_ok=True)
    if options.models is not None:
        options.models.mkdir(parents=True, exist_ok=True)
        for each in variants:
            write_whole(options.models / f"{each.row.variant}.tflite", each.model)
    times = interleaved_median_ms([each.classifier for each in variants])
    rows = tuple(
        replace(each.row, median_ms=round(ms, 2)) for each, ms in zip(variants, times, strict=True)
    )
    write_report(options.beside("parity"), options.out.name, chosen, rows, layers)
    log.info(f"wrote the comparison: {options.beside('parity')}.json and .html")
    return rows


def _write_bundle(
    run: Run,
    options: ConversionOptions,
    *,
    chosen: EvaluatedVariant,
    calibration: np.ndarray,
    layers: Sequence[LayerSqnr],
    key: "Ed25519PrivateKey | None",
) -> Bundle:
    activation = chosen.activation
    declared = None
    if activation is not None and activation.holds:
        declared = MapContract(
            height=activation.height, width=activation.width, correlation=activation.median
        )
    short_names = {each.layer.name: each.layer.short_name for each in layers}
    manifest = Manifest(
        name=options.out.resolve().name,
        created=_now(),
        **dict(run.calibration.parameters),
        bins=_bins(options.line, run.labels),
        sizes=_sizes(options.line, run.labels),
        input=InputContract(size=run.size),
        parity=chosen.parity.verdict(passed=True, gate=options.gate),
        training=run.figures,
        dataset=fingerprint(options.data),
        calibration=Calibration(
            images=len(calibration) // 2, seed=options.seed, quantizer=options.quantizer
        ),
        float_layers=tuple(short_names[name] for name in chosen.float_layers),
        activation_map=declared,
        versions=_versions(options.quantizer),
    )
    card = write_card(manifest, run)
    if options.notes is not None:
        card += f"\n{options.notes.read_text(encoding='utf-8').strip()}\n"
    contents = {
        MODEL: chosen.model,
        GOLDEN: make_golden(chosen.classifier, options.seed, with_map=declared is not None),
        CARD: card.encode(),
    }
    if run.calibration.detector_data is not None:
        contents[UNKNOWN_FILE] = run.calibration.detector_data
    return write_bundle(options.out, manifest, contents, key)


def _map_note(activation: MapParity | None) -> str:
    """What became of the activation map, in one line."""
    if activation is None:
        return "no activation map"
    note = (
        f"activation map of {activation.height} x {activation.width}: correlation with Keras' "
        f"{activation.median:.3f} (median of {activation.images} photos)"
    )
    if not activation.holds:
        note += f", at least {LEAST_CORRELATION} needed; the bundle declares none"
    return note


def _bins(line: Config, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The bins of the line, with the labels that the model knows."""
    bins = {
        bin_name: tuple(label for label in labels if normalized(label) in map(normalized, binned))
        for bin_name, binned in line.bins.items()
    }
    return {bin_name: binned for bin_name, binned in bins.items() if binned}


def _sizes(line: Config, labels: Sequence[str]) -> dict[str, SizeDistribution]:
    """The sizes of the line, of the labels that the model knows."""
    known = {normalized(label): size for label, size in line.sizes.items()}
    return {label: known[normalized(label)] for label in labels if normalized(label) in known}


def _unbinned_note(line: Config, labels: Sequence[str]) -> str | None:
    """A remark on the labels without a bin, with similar names from the configuration."""
    bins = _bins(line, labels)
    unbinned = [label for label in labels if not any(label in binned for binned in bins.values())]
    if not unbinned:
        return None
    configured = [label for binned in line.bins.values() for label in binned]
    named = ", ".join(f"{label}{also_called(label, configured)}" for label in unbinned)
    return f"without a bin, so sorted to manual: {named}; --line FILE.toml defines [bins]"


def _now() -> datetime:
    """The current time, or that of SOURCE_DATE_EPOCH (reproducible-builds.org), s since 1970."""
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


def _figures(result: ConversionResult, options: ConversionOptions) -> dict:
    """The figures that `--json` prints."""
    parity, failed = result.chosen.parity, result.chosen.failed
    verdict = parity.verdict(not failed, options.gate).model_dump(exclude={"passed", "gate"})
    # This key is part of the stable JSON interface and keeps its spelling.
    verdict["accuracy_quantised"] = verdict.pop("accuracy_quantized")
    return {
        "variant": parity.variant,
        **verdict,
        "changed": parity.quantized.changed,
        "gate": "refused" if failed else "passed",
        "failed": failed,
        "bundle": None if result.bundle is None else str(options.out),
        "float_layers": result.chosen.float_layers,
        "rows": [asdict(row) for row in result.rows],
        "activation_map": None
        if result.chosen.activation is None
        else asdict(result.chosen.activation),
        "layers": [{"layer": each.layer.name, "sqnr_db": each.sqnr_db} for each in result.layers],
    }


def _show(result: ConversionResult, options: ConversionOptions) -> None:
    if result.layers:
        table = Table(title="layers by SQNR, lowest first")
        table.add_column("SQNR, dB", justify="right")
        table.add_column("layer")
        table.add_column("precision")
        for each in result.layers[:SHOWN_LAYERS]:
            precision = "float" if each.layer.name in result.chosen.float_layers else "int8"
            table.add_row(f"{each.sqnr_db:.2f}", each.layer.short_name, precision)
        print_table(table)
    print_table(variants_table(result.rows))
    row, parity = result.chosen.row, result.chosen.parity
    low, high = parity.accuracy_drop_interval
    results.print(
        f"{row.variant} predicts the same class as Keras on {row.agreement:.1%} of {row.images} "
        f"{parity.split} photos; accuracy {row.accuracy_float:.1%} -> {row.accuracy:.1%} "
        f"(drop {low:+.1%} to {high:+.1%}); gate {row.gate}"
    )
    if result.bundle is None and not result.chosen.failed:
        results.print("no bundle: only int8 becomes a bundle")


def main(
    *,
    data: Annotated[
        list[Path],
        typer.Option(help="dataset, a folder or a CSV file, as for training; repeatable"),
    ],
    out: Annotated[Path, typer.Option(help="directory of the new bundle")],
    run: Annotated[Path | None, typer.Option(help="directory of the training run")] = None,
    keras: Annotated[
        Path | None,
        typer.Option(help="Keras model trained elsewhere (.keras or .h5), instead of --run"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="text file for --keras: one label a line, in the order of the outputs"),
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            help="what the training of --keras did to RGB pixels: "
            f"{', '.join(PREPROCESSINGS[:-1])} or {PREPROCESSINGS[-1]}"
        ),
    ] = None,
    variants: Annotated[
        str,
        typer.Option(help=f"'all' or names from {','.join(VARIANTS)}; int8 becomes the bundle"),
    ] = INT8,
    splits: Annotated[
        str, typer.Option(help="splits to compare the models on, comma-separated")
    ] = "val,test",
    quantizer: Annotated[
        str, typer.Option(help=f"quantizer: {' or '.join(QUANTIZERS)}")
    ] = QUANTIZERS[0],
    calibration: Annotated[
        int, typer.Option(min=1, help="number of training photos for calibration")
    ] = 200,
    seed: Annotated[
        int, typer.Option(min=0, help="random seed of the calibration photos and golden inputs")
    ] = 0,
    gate: Annotated[
        Path | None, typer.Option(help="TOML file with other limits of the parity gate")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="rank the layers by SQNR (signal-to-quantization-noise ratio, dB)"
        ),
    ] = False,
    keep_float: Annotated[
        str,
        typer.Option(
            help="'auto': if int8 fails the gate, keep the fewest layers in float; or 'none'"
        ),
    ] = "auto",
    slow_images: Annotated[
        int, typer.Option(min=1, help="number of images for variants without fast kernels")
    ] = 30,
    threads: Annotated[int, typer.Option(min=1, help="threads of an inference")] = 2,
    image_size: Annotated[
        int | None,
        typer.Option(min=32, max=512, help="input size of the model, px; default: as trained"),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="folder for the .tflite files of all variants")
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(help="Markdown file to append to the model card")
    ] = None,
    line: Annotated[
        Path | None, typer.Option(help="TOML file of the line, for its bins and sizes")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(help="private key file to sign with (ewaste-edge keygen)")
    ] = None,
    activation_map: Annotated[
        bool, typer.Option(help="add the output that shows where the model looked")
    ] = True,
    equalize: Annotated[
        bool, typer.Option(help="cross-layer equalization: channels of like ranges, same answers")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Convert a run, or a Keras model trained elsewhere, to a bundle and check its parity.

    Exit codes: 0 done, 1 failed, 2 bad input, 3 refused by the gate.
    """
    with command(out):
        source = _find_source(run, keras, labels=labels, preprocessing=preprocessing)
        options = ConversionOptions(
            run=run or out,
            data=tuple(data),
            out=out,
            variants=VARIANTS
            if variants == "all"
            else _parse_names("--variants", variants, VARIANTS),
            splits=_parse_names("--splits", splits, ("train", "val", "test")),
            quantizer=_parse_names("--quantizer", quantizer, QUANTIZERS)[0],
            calibration=calibration,
            seed=seed,
            gate=read_gate(gate),
            slow_images=slow_images,
            threads=threads,
            image_size=None if source else image_size,
            keep_float=_parse_names("--keep-float", keep_float, ("none", "auto"))[0] == "auto",
            explain=explain,
            models=models,
            notes=notes,
            line=read_config(line),
            sign=sign,
            activation_map=activation_map,
            equalize=equalize,
        )
        if source is None:
            result = quantize(options)
        else:
            source = replace(source, data=options.data, image_size=image_size, seed=seed)
            result = quantize_imported(source, options)
        if as_json:
            print_json(_figures(result, options))
        else:
            _show(result, options)
        if result.chosen.failed:
            report = options.beside("parity.html")
            raise Refused("; ".join(result.chosen.failed) + f"; no bundle, see {report}")


def _find_source(
    run: Path | None, keras: Path | None, *, labels: Path | None, preprocessing: str | None
) -> ImportOptions | None:
    """The classifier to import; None: a run is converted.

    Raises:
        BadInput: there is neither a run nor a classifier, or both, or an option of one is missing
            or belongs to the other.
    """
    if (run is None) == (keras is None):
        raise BadInput("give either --run, a training run, or --keras, a model trained elsewhere")
    if keras is None:
        if labels is not None or preprocessing is not None:
            raise BadInput("--labels and --preprocessing go with --keras; a run has its own")
        return None
    if labels is None or preprocessing is None:
        raise BadInput(f"{keras}: --keras needs --labels FILE and --preprocessing NAME")
    (mode,) = _parse_names("--preprocessing", preprocessing, PREPROCESSINGS)
    return ImportOptions(model=keras, labels=labels, preprocessing=mode, data=())


def _parse_names(option: str, value: str, known: Sequence[str]) -> tuple[str, ...]:
    """Parse a comma-separated list of names.

    Raises:
        BadInput: a name is not among `known`.
    """
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    for name in names:
        if name not in known:
            raise BadInput(f"{option} {name}: expected one of {', '.join(known)}")
    return names


if __name__ == "__main__":
    typer.run(main)
