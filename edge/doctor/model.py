"""Whether the bundle can be proved here, by what it is computed, and how fast."""

import time
from collections.abc import Callable

import numpy as np

from edge.bundle.bundle import Bundle, load_bundle, open_classifier
from edge.bundle.manifest import MODEL
from edge.bundle.sizes import TYPICAL_SIZES
from edge.bundle.verify import verify_apart
from edge.config import Config, chosen_runtime, sizes_of
from edge.doctor.acceleration import acceleration, median_ms
from edge.doctor.check import BoardCheck, failed_with, ok
from edge.doctor.speed import SHORTEST_ITEM_MM, BeltLoad, speed
from edge.inference.classifier import Classifier
from edge.inference.graph import Operation, read_operations
from edge.inference.tflite import open_interpreter

VIEW_PX = 320
"""Height and width of the view that the time is taken with."""
RUNS, SLOW_RUNS = 9, 2
GOLDEN_OUTPUTS = "golden outputs"
"""The check of `edge.bundle.verify` that a model fails which runs, but otherwise than it should."""
FIX = "type: ewaste-edge verify, and install another bundle: ewaste-edge install DIR"


def proof(config: Config) -> list[BoardCheck]:
    """Whether the bundle that the line would run is proved on this board.

    Its model runs in a process of its own (`edge.bundle.sandbox`).

    Returns:
        The checks `bundle`, of all but what its model answers, and `golden outputs`, if it got so
        far.

    Raises:
        EwasteError: there is no bundle, or no runtime.
    """
    trust, backend = config.trust, chosen_runtime(config, config.bundle).backend
    found = verify_apart(config.bundle, trust.keys, trust.demands, backend=backend)
    by_name = {check.name: check for check in found.checks}
    golden = by_name.pop(GOLDEN_OUTPUTS, None)
    for check in by_name.values():
        if not check.passed:
            reason = f"the check {check.name!r} refused it: {check.message}"
            return [failed_with("bundle", reason, FIX)]
    assert found.bundle is not None and golden is not None, "the last check but that of the speed"
    bundle = ok("bundle", f"{config.bundle}: whole, digest {found.bundle.digest[:16]}")
    if golden.passed:
        return [bundle, ok(GOLDEN_OUTPUTS, golden.message)]
    return [bundle, failed_with(GOLDEN_OUTPUTS, golden.message, FIX)]


def pace(
    config: Config, *, beside_line: bool, clock: Callable[[], float] = time.perf_counter
) -> list[BoardCheck]:
    """By what the model is computed, and whether that is fast enough for the belt.

    To be asked while no other check runs, and never of a bundle that `proof` refused.

    Args:
        config: names the bundle and the belt.
        beside_line: whether a line runs at the same time.
        clock: seconds.

    Raises:
        EwasteError: the bundle cannot be read, or its model cannot be loaded.
    """
    bundle = load_bundle(config.bundle, config.trust.keys)
    choice = chosen_runtime(config, config.bundle)
    threads = choice.threads
    view_ms = _view_ms(open_classifier(bundle, threads, choice.backend), clock)
    operations, with_ms = _inference(bundle, threads, clock, delegates=True)
    _, without_ms = _inference(bundle, threads, clock, delegates=False)
    load, views = belt_load(config, bundle), config.classifier.views
    return [
        acceleration(operations, with_ms, without_ms),
        speed(view_ms, views, load, beside_line=beside_line),
    ]


def _view_ms(classifier: Classifier, clock: Callable[[], float]) -> float:
    """The time from the pixels of a view to its prediction, ms."""
    view = np.random.default_rng(0).integers(0, 256, (VIEW_PX, VIEW_PX, 3), np.uint8)
    return median_ms(lambda: classifier.predict(view), clock, RUNS)


def _inference(
    bundle: Bundle, threads: int, clock: Callable[[], float], *, delegates: bool
) -> tuple[list[Operation] | None, float]:
    """The graph of the model as it is run, and the time of an inference, ms."""
    interpreter = open_interpreter(bundle.content(MODEL), threads, delegates=delegates)
    took_ms = median_ms(interpreter.invoke, clock, RUNS if delegates else SLOW_RUNS)
    return read_operations(interpreter), took_ms


def belt_load(config: Config, bundle: Bundle) -> BeltLoad:
    """How densely items of the bundle's classes may lie on the belt."""
    sizes = {**TYPICAL_SIZES, **sizes_of(config, bundle)}
    shortest = [sizes[label].low_mm for label in bundle.labels if label in sizes]
    return BeltLoad(
        speed_mm_s=config.belt.speed_mm_s,
        shortest_mm=min(shortest, default=SHORTEST_ITEM_MM),
        separable_mm=config.gate_lead_mm if config.gates else 0.0,
    )
