"""Which operations of a model a delegate has taken over.

What a delegate has taken over stands in the graph: a node `DELEGATE` with the inputs and outputs of
its part. The operations of that part are those from which its outputs come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DELEGATE = "DELEGATE"
HEAVY = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")
"""The operations that nearly all of the time goes into."""


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


def heavy_share(operations: Sequence[Operation]) -> tuple[int, int]:
    """How many heavy operations the delegates have taken over, and how many there are."""
    taken = sum(each.name in HEAVY for each in handed_over(operations))
    return taken, sum(each.name in HEAVY for each in operations)
