"""How long a frame's preprocessing and inference take: python benchmarks/latency.py."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.endings import one_line_errors
from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.bundle.verify import verify
from edge.inference.preprocess import model_input

FRAME = (720, 1280, 3)
WARM_UP = 10


@dataclass(frozen=True)
class LatencyRow:
    """One stage measured.

    Attributes:
        engine: the runtime.
        variant: of the model.
        threads: that it may use.
        stage: what was timed.
        median_ms, p95_ms, p99_ms: over all runs.
        ratio: the median as a share of the inference's with as many threads, in the same run.
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
    """Time preprocessing of 1280x720 frames and inference, taking turns so that both see the same
    machine.

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
            classifier.runtime,
            "int8",
            threads,
            stage,
            *(round(float(value), 3) for value in np.percentile(values[WARM_UP:], (50, 95, 99))),
            round(statistics.median(values[WARM_UP:]) / inference, 4),
        )
        for stage, values in times.items()
    ]


def _timed(times: list[float], action: Callable, *arguments: object) -> Any:
    started = time.perf_counter()
    result = action(*arguments)
    times.append((time.perf_counter() - started) * 1000)
    return result


def main(
    bundle: Annotated[Path, typer.Option(help="directory of the model")] = DEFAULT_BUNDLE,
    threads: Annotated[list[int], typer.Option(min=1, help="repeatable")] = [1, 2],  # noqa: B006
    runs: Annotated[int, typer.Option(min=10)] = 200,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Time preprocessing and inference. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    with one_line_errors():
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
