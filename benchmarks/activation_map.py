"""What the activation map costs the line: python benchmarks/activation_map.py."""

from edge.process_setup import limit_threads, silence_tensorflow

limit_threads()
silence_tensorflow()

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.rounds import median_interval, take_turns
from edge.inference.classifier import Classifier
from edge.quiet import quiet
from train.command import command

CALIBRATION = 8
"""Pictures of noise; what ranges they give does not change the time."""


@dataclass(frozen=True)
class CostRow:
    """The latency of one way to classify.

    Attributes:
        name: of the way.
        median_ms: over all turns, ms.
        ratio: to that without a map, the median over the rounds.
        low, high: the 95 % interval of that median, by the bootstrap over the rounds.
    """

    name: str
    median_ms: float
    ratio: float
    low: float
    high: float


def make_models(size: int, classes: int, folder: Path) -> tuple[bytes, bytes]:
    """ResNet50 with random weights as int8 TFLite, without and with the activation map."""
    with quiet():
        import keras

        from convert.tflite import tensorflow_converter as tflite

    keras.utils.set_random_seed(0)
    backbone = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    pooled = keras.layers.GlobalAveragePooling2D(name="embedding")(backbone.output)
    logits = keras.layers.Dense(classes, name="logits")(pooled)
    model = keras.Model(backbone.input, logits)
    shape = (CALIBRATION, size, size, 3)
    calibration = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = []
    for name, with_map in (("without", False), ("with", True)):
        tflite.export_graph(tflite.serving_model(model, with_map), folder / name)
        made.append(tflite.convert_int8(folder / name, calibration))
    return made[0], made[1]


def summarize(names: Sequence[str], times_ms: np.ndarray) -> list[CostRow]:
    """One row per way, [rounds, ways] ms, each compared with the first way round by round."""
    rows = []
    for place, name in enumerate(names):
        ratio = median_interval(times_ms[:, place] / times_ms[:, 0])
        rows.append(
            CostRow(
                name=name,
                median_ms=round(float(np.median(times_ms[:, place])), 3),
                ratio=round(ratio.value, 4),
                low=round(ratio.low, 4),
                high=round(ratio.high, 4),
            )
        )
    return rows


def main(
    *,
    size: Annotated[int, typer.Option(min=32, max=512, help="input size of the model, px")] = 160,
    classes: Annotated[int, typer.Option(min=2, max=1000, help="number of classes")] = 10,
    threads: Annotated[int, typer.Option(min=1, help="threads of an inference")] = 2,
    rounds: Annotated[int, typer.Option(min=10, help="turns of each way")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure inference without a map, with one that nobody reads, and with one that is read.

    Exit codes: 0 done, 1 failed.
    """
    labels = [f"class {number}" for number in range(classes)]
    with command(), tempfile.TemporaryDirectory() as folder:
        models = make_models(size, classes, Path(folder))
        plain, mapped = (
            Classifier(Path(name), labels, threads=threads, content=content)
            for name, content in zip(("without", "with"), models, strict=True)
        )
        pixels = np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)
        ways: dict[str, Callable[[], object]] = {
            "without a map": lambda: plain.predict_input(pixels),
            "with a map, not read": lambda: mapped.predict_input(pixels),
            "with a map, read": lambda: mapped.predict_with_map(pixels),
        }
        rows = summarize(list(ways), take_turns(list(ways.values()), rounds))
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
        return
    print(f"{'':22}  median_ms  ratio   95 %")
    for row in rows:
        interval = f"{row.low:.3f} to {row.high:.3f}"
        print(f"{row.name:22}  {row.median_ms:9.3f}  {row.ratio:.3f}   {interval}")


if __name__ == "__main__":
    typer.run(main)
