"""Rank the layers by SQNR, and find the fewest that must stay in float so that the gate passes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ai_edge_litert.tools.flatbuffer_utils import read_model_from_bytearray

from convert.tflite.flatbuffer import name_of
from edge.inference.activation import ACTIVATION_MAP

MAX_SQNR_DB = 120.0
"""The SQNR of a layer that quantization does not change, which would be infinite."""


@dataclass(frozen=True)
class FusedLayer:
    """One layer of the converted model, as the converter fused it.

    Attributes:
        name: name of its output tensor, as the converter calls it.
        inputs: names of the tensors it reads.
    """

    name: str
    inputs: tuple[str, ...]

    @property
    def short_name(self) -> str:
        """A readable name: the first of the fused layers."""
        parts = [part for part in self.name.split(";")[0].split("/") if part != "served_1"]
        return "/".join(parts[:2])


@dataclass(frozen=True)
class LayerSqnr:
    """The signal-to-quantization-noise ratio of one layer.

    Attributes:
        layer: the layer.
        sqnr_db: the lowest SQNR of its output and its inputs, dB, 0 to `MAX_SQNR_DB`
            (`convert.tflite.tensorflow_converter.CalibratedModel.tensor_sqnr`).
    """

    layer: FusedLayer
    sqnr_db: float


def read_layers(fp32: bytes) -> list[FusedLayer]:
    """The layers of an unquantized .tflite file, in the order of execution.

    That of the activation map is none of them: no answer depends on it (`read_map_layer`).
    """
    return _read_operators(fp32)[0]


def read_map_layer(fp32: bytes) -> FusedLayer | None:
    """The layer of the activation map; None for a model without."""
    found = _read_operators(fp32)[1]
    return found[0] if found else None


def _read_operators(fp32: bytes) -> tuple[list[FusedLayer], list[FusedLayer]]:
    """The layers that the answers depend on, and those that write the activation map."""
    model = read_model_from_bytearray(fp32)
    (graph,) = model.subgraphs
    maps = {
        mapped.tensorIndex
        for signature in model.signatureDefs
        for mapped in signature.outputs
        if name_of(mapped) == ACTIVATION_MAP
    }
    layers: tuple[list[FusedLayer], list[FusedLayer]] = ([], [])
    for operator in graph.operators:
        output = operator.outputs[0]
        layers[output in maps].append(
            FusedLayer(
                name_of(graph.tensors[output]),
                tuple(name_of(graph.tensors[index]) for index in operator.inputs if index >= 0),
            )
        )
    return layers


def rank_layers(
    layers: Sequence[FusedLayer], tensor_sqnr_db: Mapping[str, float]
) -> list[LayerSqnr]:
    """The layers in the order of their SQNR, lowest first.

    The SQNR of a layer covers its inputs too: noise in a tensor reaches every layer that reads it,
    and disappears only when the layer that writes it and those that read it are all float.

    Args:
        layers: the layers, in the order of execution.
        tensor_sqnr_db: SQNR by tensor name, dB; a missing tensor counts as unchanged.
    """
    ranked = [
        LayerSqnr(
            layer,
            min(tensor_sqnr_db.get(name, MAX_SQNR_DB) for name in (layer.name, *layer.inputs)),
        )
        for layer in layers
    ]
    return sorted(ranked, key=lambda each: each.sqnr_db)


def fewest_float_layers(
    ranked: Sequence[LayerSqnr], passes: Callable[[Sequence[str]], bool]
) -> tuple[str, ...] | None:
    """The fewest of the lowest-ranked layers that must stay in float for `passes` to be true.

    The shortest prefix of `ranked` is found by doubling and bisection. Then each of its layers is
    quantized again if the gate passes without it.

    Args:
        ranked: the layers, lowest SQNR first.
        passes: returns whether the gate passes with the layers of these names in float; expensive.

    Returns:
        The layer names, or None if `passes` is false even with all layers in float.
    """
    names = [each.layer.name for each in ranked]
    low, high = 0, 1
    while not passes(names[:high]):
        if high >= len(names):
            return None
        low, high = high, min(2 * high, len(names))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(names[:middle]) else (middle, high)
    kept = names[:high]
    for name in reversed(names[: high - 1]):
        fewer = [other for other in kept if other != name]
        if passes(fewer):
            kept = fewer
    return tuple(kept)
