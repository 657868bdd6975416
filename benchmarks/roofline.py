"""What share of this machine's rate the model reaches: python benchmarks/roofline.py.

The attainable rate is that of the fastest of a few large convolutions, run through the same runtime
with the same threads, in turns with the model.
"""

from edge.process_setup import limit_threads, silence_tensorflow

limit_threads()
silence_tensorflow()

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.rounds import median_interval, take_turns
from convert.tflite.multiplications import count_multiplications
from edge.bundle.bundle import DEFAULT_BUNDLE, load_bundle
from edge.bundle.manifest import MODEL
from edge.inference.tflite import open_interpreter
from edge.quiet import quiet
from train.command import command


@dataclass(frozen=True)
class Convolution:
    """One layer, stride 1, as many channels out as in.

    Attributes:
        side: width and height of the input, px.
        channels: number of channels.
        kernel: width and height of the kernel, px.
    """

    side: int
    channels: int
    kernel: int

    def __str__(self) -> str:
        return f"{self.kernel}x{self.kernel}, {self.side}x{self.side}x{self.channels}"


CONVOLUTIONS = (Convolution(40, 256, 3), Convolution(20, 512, 3), Convolution(40, 512, 1))


@dataclass(frozen=True)
class RateRow:
    """The rate of one model.

    Attributes:
        name: of the model.
        kind: `int8` or `fp32`.
        threads: threads of an inference.
        multiplications: multiply-accumulate operations of an inference, millions.
        median_ms: over all rounds, ms.
        rate: median over the rounds, 1e9 multiply-accumulate operations per second.
        share: of the rate of the fastest convolution of this kind, the median over the rounds.
        low, high: the 95 % interval of the share, by the bootstrap over the rounds.
    """

    name: str
    kind: str
    threads: int
    multiplications: float
    median_ms: float
    rate: float
    share: float
    low: float
    high: float


def make_convolution(layer: Convolution, kind: str, folder: Path) -> bytes:
    """A TFLite model of one convolution with random weights; `kind` is `int8` or `fp32`."""
    with quiet():
        import keras

        from convert.tflite import tensorflow_converter as tflite

    keras.utils.set_random_seed(0)
    shape = (layer.side, layer.side, layer.channels)
    given = keras.Input(shape, batch_size=1)
    made = keras.layers.Conv2D(layer.channels, layer.kernel, padding="same", activation="relu")
    tflite.export_graph(keras.Model(given, made(given)), folder)
    if kind == "fp32":
        return tflite.convert_fp32(folder)
    noise = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    return tflite.convert_int8(folder, noise)


def bare(content: bytes, threads: int) -> Callable[[], None]:
    """The inference of a TFLite model, whose input stays as it is, and nothing else."""
    with quiet():
        interpreter = open_interpreter(content, threads)
    for each in interpreter.get_input_details():
        rng = np.random.default_rng(1)
        interpreter.set_tensor(
            each["index"], rng.integers(0, 99, each["shape"]).astype(each["dtype"])
        )
    return interpreter.invoke


def measure(
    models: dict[str, bytes], convolutions: dict[str, bytes], kind: str, threads: int, rounds: int
) -> list[RateRow]:
    """The rates of models and convolutions of one kind, measured in turns.

    Args:
        models: name -> TFLite file.
        convolutions: the same, of which the fastest is the attainable rate.
        kind: `int8` or `fp32`.
        threads: threads of an inference.
        rounds: turns of each.
    """
    every = {**convolutions, **models}
    counts = np.array([count_multiplications(each) for each in every.values()])
    times_ms = take_turns([bare(each, threads) for each in every.values()], rounds)
    rates = counts / times_ms / 1e6
    fastest = int(np.median(rates[:, : len(convolutions)], axis=0).argmax())
    rows = []
    for place, name in enumerate(every):
        share = median_interval(rates[:, place] / rates[:, fastest])
        rows.append(
            RateRow(
                name=name,
                kind=kind,
                threads=threads,
                multiplications=round(counts[place] / 1e6, 1),
                median_ms=round(float(np.median(times_ms[:, place])), 3),
                rate=round(float(np.median(rates[:, place])), 1),
                share=round(share.value, 4),
                low=round(share.low, 4),
                high=round(share.high, 4),
            )
        )
    return rows


def main(
    *,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    threads: Annotated[
        list[int], typer.Option(min=1, help="threads of an inference; repeatable")
    ] = [1, 2],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=10, help="turns of each")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Compare the model with large convolutions. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(), tempfile.TemporaryDirectory() as scratch:
        loaded = load_bundle(bundle)
        models = {loaded.manifest.name: (loaded.path / MODEL).read_bytes()}
        convolutions = {
            kind: {
                str(each): make_convolution(each, kind, Path(scratch) / f"{kind}-{number}")
                for number, each in enumerate(CONVOLUTIONS)
            }
            for kind in ("int8", "fp32")
        }
        rows = [
            row
            for count in threads
            for kind, probes in convolutions.items()
            for row in measure(models if kind == "int8" else {}, probes, kind, count, rounds)
        ]
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
        return
    print(f"{'':26}  kind  threads  million_macs  median_ms  gmacs/s  share  95 %")
    for row in rows:
        interval = f"{row.low:.3f} to {row.high:.3f}"
        print(
            f"{row.name:26}  {row.kind}  {row.threads:7}  {row.multiplications:12.1f}  "
            f"{row.median_ms:9.3f}  {row.rate:7.1f}  {row.share:.3f}  {interval}"
        )


if __name__ == "__main__":
    typer.run(main)
