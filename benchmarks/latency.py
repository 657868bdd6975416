"""Latency of each stage from camera to verdict: python benchmarks/latency.py.

Every variant in every runtime, on every number of threads and size of frame, in turns, so that load
affects all of them; samples that other programs disturbed are left out (`benchmarks.marked`).
"""

from edge.process_setup import limit_threads

limit_threads()  # before anything imports numpy, as in the line itself

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from benchmarks.machine import facts
from benchmarks.marked import BURST, Samples, Way, take_marked_turns
from benchmarks.runtime_workers import runtime_ways
from benchmarks.runtimes import SCRIPTS
from benchmarks.stages import INFERENCE, Belt, film_belt, ways_of
from benchmarks.starting import Start, measure_start
from benchmarks.variants import Variant, variants_of
from convert.proof.golden import draw_input
from edge.belt.view import crop
from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.errors import BadInput
from edge.inference.backend import Backend, installed_runtimes
from edge.inference.classifier import Classifier
from edge.inference.preprocess import model_input
from edge.photos.dataset import find_photos
from edge.photos.reading import read_photos
from train.command import command

LEAST_SIDE, MOST_SIDE = 160, 4096
DEFAULT_FRAMES = ["1280x720"]


@dataclass(frozen=True)
class LatencyRow:
    """The latency of one stage.

    Attributes:
        engine: name of the runtime.
        variant: variant of the model.
        threads: threads of an inference.
        stage: what was measured, with the size of the frame where that matters.
        median_ms, p95_ms, p99_ms: percentiles over the samples that count, ms.
        median_low_ms, median_high_ms, p95_low_ms, p95_high_ms, p99_low_ms, p99_high_ms: their 95 %
            intervals, by the bootstrap over the samples.
        ratio: to the bare inference of the same round, the median over the rounds.
        low, high: the 95 % interval of the ratio, by the bootstrap over the rounds.
        cpu_ms: the median processor time of all samples, ms, of all threads.
        cpu_ratio, cpu_low, cpu_high: the same ratio by processor time, and its interval. On a busy
            machine it says more than that by the clock.
        samples: how many count.
        left_out: how many do not, since other programs disturbed them most.
        disturbed: how many were disturbed, left out or not.
    """

    engine: str
    variant: str
    threads: int
    stage: str
    median_ms: float
    p95_ms: float
    p99_ms: float
    median_low_ms: float
    median_high_ms: float
    p95_low_ms: float
    p95_high_ms: float
    p99_low_ms: float
    p99_high_ms: float
    ratio: float
    low: float
    high: float
    cpu_ms: float
    cpu_ratio: float
    cpu_low: float
    cpu_high: float
    samples: int
    left_out: int
    disturbed: int


def measure(
    bundle: Bundle,
    variant: Variant,
    *,
    belts: list[Belt],
    threads: Sequence[int],
    rounds: int,
    pythons: Sequence[tuple[str, str]] = (),
) -> list[LatencyRow]:
    """Measure a variant in all runtimes of this Python, and in those of others.

    Raises:
        EwasteError: a model or a runtime cannot be used.
    """
    ways: dict[tuple[str, int, str], Way] = {}
    for runtime in installed_runtimes():
        for count in threads:
            classifier = _opened(bundle, variant, runtime, count)
            own = belts if count == threads[0] else belts[:1]
            for stage, way in ways_of(bundle, classifier, own).items():
                ways[runtime, count, stage] = way
    view = crop(belts[0].frame, belts[0].item.box)
    pixels = model_input(view, bundle.manifest.input.size)
    with runtime_ways(variant.path, pixels, pythons, threads) as others:
        apart = {f"{runtime} (own Python)": runtime for runtime, _ in pythons}
        for name, runtime in apart.items():
            ways |= {(name, count, INFERENCE): others[runtime, count] for count in threads}
        keys = {"\t".join(map(str, key)): key for key in ways}
        found = take_marked_turns({name: ways[key] for name, key in keys.items()}, rounds)
    samples = {key: found[name] for name, key in keys.items()}
    return list(_rows(variant.name, samples))


def _opened(bundle: Bundle, variant: Variant, runtime: str, threads: int) -> Classifier:
    return Classifier(
        variant.path,
        bundle.labels,
        bundle.manifest.temperature,
        threads,
        backend=Backend(runtime),
    )


def _rows(variant: str, samples: Mapping[tuple[str, int, str], Samples]) -> Iterator[LatencyRow]:
    for (engine, threads, stage), each in samples.items():
        percentiles = {}
        for name, found in zip(("median", "p95", "p99"), each.shares(), strict=True):
            percentiles[f"{name}_ms"] = round(found.value, 4)
            percentiles[f"{name}_low_ms"] = round(found.low, 4)
            percentiles[f"{name}_high_ms"] = round(found.high, 4)
        inference = samples[engine, threads, INFERENCE]
        ratio, cpu = each.ratio_to(inference), each.cpu_ratio_to(inference)
        counted = int(each.kept.sum())
        yield LatencyRow(
            engine=engine,
            variant=variant,
            threads=threads,
            stage=stage,
            **percentiles,
            ratio=round(ratio.value, 4),
            low=round(ratio.low, 4),
            high=round(min(ratio.high, 1e6), 4),
            cpu_ms=round(float(np.median(each.cpu_ms)), 4),
            cpu_ratio=round(cpu.value, 4),
            cpu_low=round(cpu.low, 4),
            cpu_high=round(cpu.high, 4),
            samples=counted,
            left_out=each.times_ms.size - counted,
            disturbed=each.disturbed,
        )


def parsed_frame(text: str) -> tuple[int, int]:
    """Width and height of a frame, px, from `WIDTHxHEIGHT`.

    Raises:
        BadInput: it is no such size.
    """
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise BadInput(f"--frame {text}: expected WIDTHxHEIGHT, such as 1280x720")
    width, height = map(int, (side[:6] for side in sides))
    if not LEAST_SIDE <= min(width, height) <= max(width, height) <= MOST_SIDE:
        raise BadInput(f"--frame {text}: a side has {LEAST_SIDE} to {MOST_SIDE} px")
    return width, height


def parsed_python(text: str) -> tuple[str, str]:
    """A runtime and its Python, from `NAME=PYTHON`.

    Raises:
        BadInput: it is none.
    """
    name, _, python = text.partition("=")
    if name not in SCRIPTS or not python:
        raise BadInput(f"--runtime {text}: expected NAME=PYTHON of {', '.join(SCRIPTS)}")
    return name, python


def main(
    *,
    bundle: Annotated[
        list[Path] | None, typer.Option(help="directory of a bundle; repeatable")
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(help="another .tflite variant of the first bundle's model; repeatable"),
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(help="folder of photos, CLASS/*.jpg; default: drawn items")
    ] = None,
    frame: Annotated[
        list[str], typer.Option(metavar="WxH", help="size of a camera's frame, px; repeatable")
    ] = DEFAULT_FRAMES,
    threads: Annotated[
        list[int], typer.Option(min=1, help="threads of an inference; repeatable")
    ] = [1, 2],  # noqa: B006
    runtime: Annotated[
        list[str] | None,
        typer.Option(help=f"runtime as NAME=PYTHON, NAME one of {', '.join(SCRIPTS)}; repeatable"),
    ] = None,
    runs: Annotated[int, typer.Option(min=10, help="number of timed runs")] = 200,
    starts: Annotated[
        int, typer.Option(min=0, max=100, help="how often the device process is started")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure each stage. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    cv2.setNumThreads(1)  # as the line does
    with command():
        pythons = [parsed_python(each) for each in runtime or ()]
        sizes = [parsed_frame(each) for each in frame]
        loaded = [load_bundle(path) for path in bundle or [DEFAULT_BUNDLE]]
        picture = None if photos is None else next(read_photos(find_photos(photos)))[1]
        belts = [film_belt(*size, picture) for size in sizes]
        rows = [
            row
            for place, each in enumerate(loaded)
            for variant in variants_of(each, (model or []) if place == 0 else [])
            for row in measure(
                each,
                variant,
                belts=belts,
                threads=threads,
                rounds=math.ceil(runs / BURST),
                pythons=pythons,
            )
        ]
        start = None
        if starts:
            first = loaded[0]
            shown = draw_input(first.labels[0], 0, 2 * first.manifest.input.size)
            start = measure_start(first.path, shown if picture is None else picture, starts)
    if as_json:
        answer = {"rows": [asdict(row) for row in rows], "facts": facts()}
        print(json.dumps(answer if start is None else {**answer, "start": _flat(start)}))
        return
    _print(rows, start)


def _flat(start: Start) -> dict[str, float]:
    """The figures of a start, one number each."""
    found = {"starts": start.starts, "waited_s": round(start.waited_s, 3)}
    for name, each in (("seconds", start.seconds), ("cpu_s", start.cpu_s)):
        found |= {name: round(each.value, 3), f"{name}_low": round(each.low, 3)}
        found[f"{name}_high"] = round(each.high, 3)
    imports = {f"import_ms {name}": took for name, took in start.imports_ms.items()}
    return {**found, "peak_mb": round(start.peak_mb, 1), "import_ms": start.import_ms, **imports}


def _print(rows: Sequence[LatencyRow], start: Start | None) -> None:
    print(
        f"{'engine':14}  variant  threads  {'stage':25}  median_ms  p95_ms  p99_ms  ratio  95 %"
        "              cpu_ratio  left out"
    )
    for row in rows:
        interval = f"{row.low:.3f} to {row.high:.3f}"
        print(
            f"{row.engine:14}  {row.variant:7}  {row.threads:7}  {row.stage:25}  "
            f"{row.median_ms:9.3f}  {row.p95_ms:6.3f}  {row.p99_ms:6.3f}  {row.ratio:5.3f}  "
            f"{interval:16}  {row.cpu_ratio:9.3f}  {row.left_out:4} of {row.samples + row.left_out}"
        )
    if start is not None:
        seconds, cpu = start.seconds, start.cpu_s
        print(
            f"start to verdict {seconds.value:.2f} s ({seconds.low:.2f} to {seconds.high:.2f}), "
            f"{cpu.value:.2f} s of processor time, waited {start.waited_s:.2f} s for one; peak "
            f"{start.peak_mb:.0f} MB; imports {start.import_ms:.0f} ms"
        )


if __name__ == "__main__":
    typer.run(main)
