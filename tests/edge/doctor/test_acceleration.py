"""Whether XNNPACK computes a model, asked of real interpreters."""

import time
from pathlib import Path

import pytest

from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.doctor.acceleration import acceleration, median_ms
from edge.doctor.check import CheckState
from edge.inference.graph import Operation, handed_over, read_operations
from edge.inference.tflite import load_runtime, open_interpreter

LITERT = load_runtime().__name__.startswith("ai_edge_litert")


@pytest.mark.skipif(not LITERT, reason="tflite-runtime leaves 8 bits to slower code on x86-64")
@pytest.mark.parametrize("model", ["tiny-bundle", "shipped"])
def test_xnnpack_that_is_off_is_named_and_one_that_is_on_is_not(tiny_bundle, model):
    folder = tiny_bundle if model == "tiny-bundle" else DEFAULT_BUNDLE
    content = Path(folder / "model.tflite").read_bytes()
    on = read_operations(open_interpreter(content, 1))
    off = read_operations(open_interpreter(content, 1, delegates=False))
    assert len(handed_over(on)) == len(off) - 1, "all but uint8 to int8 at the input"
    assert acceleration(on, 20.0, 200.0).state is CheckState.OK
    check = acceleration(off, 200.0, 200.0)
    assert check.state is CheckState.FAILURE and "computes 0 of" in check.detail
    assert check.fix == "pip install -U ai-edge-litert"


def chain(*names: str) -> list[Operation]:
    """Operations in a row: the first makes tensor 1 of tensor 0 and of the weights 100."""
    return [
        Operation(name, (number, 100 + number), (number + 1,)) for number, name in enumerate(names)
    ]


def test_a_delegate_that_took_only_the_end_is_no_acceleration():
    graph = chain(*["CONV_2D"] * 8, "FULLY_CONNECTED")
    behind = Operation("DELEGATE", (8, 108), (9,))
    assert [each.name for each in handed_over([*graph, behind])] == ["FULLY_CONNECTED"]
    check = acceleration([*graph, behind], 300.0, 500.0)
    assert check.state is CheckState.FAILURE and "1 of 9 heavy operations" in check.detail
    most = Operation("DELEGATE", (2, 102, 103), (9,))
    assert acceleration([*graph, most], 30.0, 500.0).state is CheckState.WARNING
    two = [Operation("DELEGATE", (0, 100), (4,)), Operation("DELEGATE", (4, 104), (9,))]
    assert acceleration([*graph, *two], 30.0, 500.0).state is CheckState.OK


def test_a_graph_in_a_circle_ends():
    circle = [Operation("CONV_2D", (1,), (2,)), Operation("CONV_2D", (2,), (1,))]
    assert len(handed_over([*circle, Operation("DELEGATE", (0,), (1,))])) == 2


def test_where_the_runtime_does_not_tell_the_time_does():
    assert read_operations(object()) is None
    assert acceleration(None, 20.0, 200.0).state is CheckState.OK
    assert acceleration(None, 200.0, 210.0).state is CheckState.WARNING


def test_a_slow_model_is_measured_fewer_times():
    calls, now = [], [0.0]

    def invoke() -> None:
        calls.append(1)
        now[0] += 0.35

    assert median_ms(invoke, lambda: now[0], 9) == pytest.approx(350) and len(calls) == 3
    assert median_ms(lambda: None, time.perf_counter, 5) < 10
