"""Which layers quantizing hurts, and which of them to leave in float so that the gate holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from convert.tflite.flatbuffer import name_of, read_model


@dataclass(frozen=True)
class Layer:
    """One layer of the converted model, as the converter fused it.

    Attributes:
        name: of its output, as the converter calls it.
        reads: names of the layers whose outputs it takes.
    """

    name: str
    reads: tuple[str, ...]

    @property
    def short(self) -> str:
        """A name for people: the first of the layers that were fused."""
        parts = [part for part in self.name.split(";")[0].split("/") if part != "served_1"]
        return "/".join(parts[:2])


@dataclass(frozen=True)
class LayerError:
    """How much quantizing a layer loses.

    Attributes:
        layer: which one.
        error: the larger of those of its output and its inputs
            (`convert.tflite.tensorflow_converter.noise_share`), 0 to 1.
    """

    layer: Layer
    error: float


def read_layers(fp32: bytes) -> list[Layer]:
    """The layers of an unquantized .tflite file, in the order they run."""
    (graph,) = read_model(fp32).subgraphs
    return [
        Layer(
            name_of(graph.tensors[operator.outputs[0]]),
            tuple(name_of(graph.tensors[place]) for place in operator.inputs if place >= 0),
        )
        for operator in graph.operators
    ]


def rank_layers(layers: Sequence[Layer], tensor_errors: Mapping[str, float]) -> list[LayerError]:
    """The layers, worst first.

    A layer's error counts its inputs' too: what is lost in a tensor is lost to whoever reads it,
    and comes back only when maker and readers are all float.
    """
    errors = [
        LayerError(layer, max(tensor_errors.get(name, 0.0) for name in (layer.name, *layer.reads)))
        for layer in layers
    ]
    return sorted(errors, key=lambda each: -each.error)


def fewest_in_float(
    ranked: Sequence[LayerError], holds: Callable[[Sequence[str]], bool]
) -> tuple[str, ...] | None:
    """The fewest of the worst layers that, left in float, make `holds` true; None: not even all.

    `holds` is asked with layer names; it is expensive. The shortest beginning of `ranked` is found
    by doubling and halving, then single layers that are not needed in it are quantized after all.
    """
    names = [each.layer.name for each in ranked]
    low, high = 0, 1
    while not holds(names[:high]):
        if high >= len(names):
            return None
        low, high = high, min(2 * high, len(names))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(names[:middle]) else (middle, high)
    kept = names[:high]
    for name in reversed(names[: high - 1]):
        fewer = [other for other in kept if other != name]
        if holds(fewer):
            kept = fewer
    return tuple(kept)
