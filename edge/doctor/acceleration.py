"""Whether XNNPACK really computes the model.

That the runtime reports a delegate proves nothing: tflite-runtime 2.14 prints "Created TensorFlow
Lite XNNPACK delegate for CPU", hands over 2 of the 80 operations of the shipped model, and is
twenty times as slow. What a delegate has taken over stands in the graph (`edge.inference.graph`).
"""

from collections.abc import Callable, Sequence

from edge.doctor.check import BoardCheck, failure, ok, warning
from edge.inference.graph import Operation, heavy_share

LEAST_SHARE = 0.5
"""Of the heavy operations that XNNPACK must have at least."""
LEAST_GAIN = 1.5
"""How much faster the model must be with the delegate, where only the time can tell."""
ENOUGH_S = 0.6
"""Of measuring: slow boards must come to an end, too."""
FIX = "pip install -U ai-edge-litert"
NAME = "xnnpack"


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
    taken, heavy = heavy_share(operations)
    found = f"XNNPACK computes {taken} of {heavy} heavy operations, {times}"
    if taken < LEAST_SHARE * heavy:
        return failure(NAME, found, FIX)
    if taken < heavy:
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
