"""Whether XNNPACK really computes the model.

That the runtime reports a delegate proves nothing: tflite-runtime 2.14 prints "Created TensorFlow
Lite XNNPACK delegate for CPU", hands over 2 of the 80 operations of the shipped model, and is
twenty times as slow. What a delegate has taken over stands in the graph: a node `DELEGATE` with the
inputs and outputs of its part. The operations of that part are those from which its outputs come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edge.doctor.check import BoardCheck, failure, ok, warning

DELEGATE = "DELEGATE"
HEAVY = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")
"""The operations that nearly all of the time goes into."""
LEAST_SHARE = 0.5
"""Of the heavy operations that XNNPACK must have at least."""
LEAST_GAIN = 1.5
"""How much faster the model must be with the delegate, where only the time can tell."""
ENOUGH_S = 0.6
"""Of measuring: slow boards must come to an end, too."""
FIX = "pip install -U ai-edge-litert"
NAME = "xnnpack"


@dataclass(frozen=True)
class Operation:
    """A node of a model's graph: what it does, from which tensors, to which tensors."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_operations(interpreter: Any) -> list[Operation] | None:
    """The nodes of an interpreter's graph after the delegates were applied; None: it tells none.

    It is not part of the public interface of the runtime, so that it may be gone in a later one.
    """
    try:
        return [
            Operation(
                str(each["op_name"]),
                tuple(map(int, each["inputs"])),
                tuple(map(int, each["outputs"])),
            )
            for each in interpreter._get_ops_details()
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def handed_over(operations: Sequence[Operation]) -> list[Operation]:
    """The operations that lie within the parts of the delegates."""
    makers = {
        tensor: operation
        for operation in operations
        if operation.name != DELEGATE
        for tensor in operation.outputs
    }
    found: dict[int, Operation] = {}
    for part in operations:
        if part.name != DELEGATE:
            continue
        borders, ahead = set(part.inputs), list(part.outputs)
        while ahead:
            tensor = ahead.pop()
            maker = makers.get(tensor)
            if maker is not None and tensor not in borders and id(maker) not in found:
                found[id(maker)] = maker
                ahead += maker.inputs
    return [operation for operation in operations if id(operation) in found]


def acceleration(
    operations: Sequence[Operation] | None, with_ms: float, without_ms: float
) -> BoardCheck:
    """Whether XNNPACK computes the model.

    Args:
        operations: the graph as the line would run it; None: the runtime does not tell.
        with_ms: of an inference as the line would run it, ms.
        without_ms: of one without delegates, ms.
    """
    times = f"{with_ms:.1f} ms an inference, {without_ms:.1f} ms without any delegate"
    if operations is None:
        if without_ms >= LEAST_GAIN * with_ms:
            return ok(NAME, f"{times}; the runtime tells no more")
        return warning(NAME, f"{times}: XNNPACK seems not to run", FIX)
    heavy = [each for each in operations if each.name in HEAVY]
    taken = [each for each in handed_over(operations) if each.name in HEAVY]
    found = f"XNNPACK computes {len(taken)} of {len(heavy)} heavy operations, {times}"
    if len(taken) < LEAST_SHARE * len(heavy):
        return failure(NAME, found, FIX)
    if len(taken) < len(heavy):
        return warning(NAME, found, FIX)
    return ok(NAME, found)


def median_ms(invoke: Callable[[], object], clock: Callable[[], float], most: int) -> float:
    """The median time of a call, ms, after one that is not counted.

    Args:
        invoke: the call.
        clock: seconds.
        most: how often it is made at most; of a slow one fewer, as `ENOUGH_S` are enough.
    """
    invoke()
    taken: list[float] = []
    while not taken or (len(taken) < most and sum(taken) < ENOUGH_S):
        started = clock()
        invoke()
        taken.append(clock() - started)
    return 1000 * sorted(taken)[len(taken) // 2]
