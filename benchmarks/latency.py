"""Latency of preprocessing and inference: python benchmarks/latency.py."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.bundle.verify import verify
from edge.inference.preprocess import model_input
from train.command import command

FRAME = (720, 1280, 3)
WARM_UP = 10


@dataclass(frozen=True)
class LatencyRow:
    """The latency of one stage.

    Attributes:
        engine: name of the runtime.
        variant: variant of the model.
        threads: threads of an inference.
        stage: what was measured.
        median_ms, p95_ms, p99_ms: percentiles over all runs, ms.
        ratio: the median divided by that of the inference in the same run.
    """

    engine: str
    variant: str
    threads: int
    stage: str
    median_ms: float
    p95_ms: float
    p99_ms: float
    ratio: float


def measure(bundle_path: Path, threads: int, runs: int) -> list[LatencyRow]:
    """Measure preprocessing of 1280x720 frames and inference in turns, so that load affects both.

    Raises:
        EwasteError: the bundle cannot be used.
    """
    _, classifier = verify(bundle_path, threads=threads).require()
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, FRAME, np.uint8) for _ in range(4)]
    times: dict[str, list[float]] = {"preprocess 1280x720": [], "inference": []}
    for number in range(WARM_UP + runs):
        frame = frames[number % len(frames)]
        pixels = _timed(times["preprocess 1280x720"], model_input, frame, classifier.size)
        _timed(times["inference"], classifier.predict_input, pixels)
    inference = statistics.median(times["inference"][WARM_UP:])
    return [
        LatencyRow(
            engine=classifier.runtime,
            variant="int8",
            threads=threads,
            stage=stage,
            median_ms=round(float(np.percentile(values[WARM_UP:], 50)), 3),
            p95_ms=round(float(np.percentile(values[WARM_UP:], 95)), 3),
            p99_ms=round(float(np.percentile(values[WARM_UP:], 99)), 3),
            ratio=round(statistics.median(values[WARM_UP:]) / inference, 4),
        )
        for stage, values in times.items()
    ]


def _timed(times: list[float], action: Callable, *arguments: object) -> Any:
    started = time.perf_counter()
    result = action(*arguments)
    times.append((time.perf_counter() - started) * 1000)
    return result


def main(
    *,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    threads: Annotated[
        list[int], typer.Option(min=1, help="threads of an inference; repeatable")
    ] = [1, 2],  # noqa: B006
    runs: Annotated[int, typer.Option(min=10, help="number of timed runs")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure preprocessing and inference. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    with command():
        rows = [row for count in threads for row in measure(bundle, count, runs)]
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
        return
    print(f"{'engine':14}  variant  threads  {'stage':19}  median_ms  p95_ms  p99_ms  ratio")
    for row in rows:
        print(
            f"{row.engine:14}  {row.variant:7}  {row.threads:7}  {row.stage:19}  "
            f"{row.median_ms:9.3f}  {row.p95_ms:6.3f}  {row.p99_ms:6.3f}  {row.ratio:.3f}"
        )


if __name__ == "__main__":
    typer.run(main)
