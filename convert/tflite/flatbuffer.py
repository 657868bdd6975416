"""Read, edit and write .tflite files: the types of their inputs and outputs, and their metadata.

A .tflite file is a flatbuffer of schema "TFL3"; `ai_edge_litert` ships the generated classes.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.inference.preprocess import INPUT_OFFSET

_QUANTIZE, _DEQUANTIZE = schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE
BUFFER_ALIGNMENT = 16
"""Bytes; the `force_align` of weights in the schema, which kernels may rely on."""

MAX_INLINE_OFFSET = 1
"""By the schema, a buffer with a larger offset has its data behind the flatbuffer."""


class _Builder(flatbuffers.Builder):
    """A builder that aligns weights, which the generated Python code does not."""

    def CreateNumpyVector(self, array: np.ndarray) -> int:  # noqa: N802 (overrides)
        self.Prep(BUFFER_ALIGNMENT, array.nbytes)
        return super().CreateNumpyVector(array)


def read_model(content: bytes) -> schema.ModelT:
    """Read a .tflite file into objects that can be edited.

    Weights behind the flatbuffer, as some quantizers write them, are moved into it. The reader of
    `ai_edge_litert.tools` also removes empty buffers, so that an unchanged model would be written
    as other bytes.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > MAX_INLINE_OFFSET:
            begin, end = buffer.offset, buffer.offset + buffer.size
            buffer.data = np.frombuffer(content[begin:end], np.uint8)
            buffer.offset = buffer.size = 0
    return model


def write_model(model: schema.ModelT) -> bytes:
    """Write objects as a .tflite file; the same objects give the same bytes."""
    builder = _Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def name_of(tensor: schema.TensorT | schema.TensorMapT) -> str:
    """The name of a tensor or of a signature entry."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name


def use_raw_rgb_input(content: bytes) -> bytes:
    """Change the input of a model from `RGB - 117` to uint8 RGB, and its outputs to integers.

    The input may be float32, or int8 with scale 1.0 and zero point -11, as quantizers write it.
    An output that is dequantized last becomes the quantized tensor. A QUANTIZE and DEQUANTIZE
    between two float layers, which only adds noise, is removed.
    """
    model = read_model(content)
    graph = _Graph(model)
    graph.remove_round_trips()
    graph.add_uint8_input()
    graph.remove_output_dequantize()
    return write_model(model)


def use_float_io(content: bytes) -> bytes:
    """Change the input and the outputs of an integer model to float32."""
    model = read_model(content)
    graph = _Graph(model)
    graph.add_float_io()
    return write_model(model)


class _Graph:
    """The only subgraph of a model, for editing its operators."""

    def __init__(self, model: schema.ModelT) -> None:
        self.model = model
        (self.subgraph,) = model.subgraphs
        self.tensors = self.subgraph.tensors

    def code_of(self, operator: schema.OperatorT) -> int:
        """The builtin code of an operator."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    def has_code(self, operator: schema.OperatorT, code: int) -> bool:
        return self.code_of(operator) == code

    def remove_round_trips(self) -> None:
        """Remove each QUANTIZE that is followed by DEQUANTIZE; readers use the original tensor."""
        quantized = {
            operator.outputs[0]: operator.inputs[0]
            for operator in self.subgraph.operators
            if self.has_code(operator, _QUANTIZE)
            and self.tensors[operator.inputs[0]].type == schema.TensorType.FLOAT32
        }
        for operator in list(self.subgraph.operators):
            if self.has_code(operator, _DEQUANTIZE):
                source = quantized.get(operator.inputs[0])
                if source is not None and operator.outputs[0] not in self.subgraph.outputs:
                    self.replace(operator.outputs[0], source)
                    self.subgraph.operators.remove(operator)
        self.remove_unread(_QUANTIZE)

    def add_uint8_input(self) -> None:
        """Insert a uint8 input before the current one."""
        (old,) = self.subgraph.inputs
        kind = self.tensors[old].type
        if kind == schema.TensorType.UINT8:
            return
        new = self.add_input(old, schema.TensorType.UINT8, (1.0, INPUT_OFFSET))
        rest = [operator for operator in self.subgraph.operators if old in operator.inputs]
        code = _QUANTIZE
        if kind == schema.TensorType.FLOAT32:
            code = _DEQUANTIZE
            # QUANTIZE accepts uint8 too, and then only shifts the zero point.
            for operator in [each for each in rest if self.has_code(each, _QUANTIZE)]:
                operator.inputs = [new]
                rest.remove(operator)
        if rest:
            self.subgraph.operators.insert(0, self.make_operator(code, new, old))

    def add_float_io(self) -> None:
        """Insert a float32 input before the current one, and float32 outputs at the end."""
        (old,) = self.subgraph.inputs
        new = self.add_input(old, schema.TensorType.FLOAT32, None)
        self.subgraph.operators.insert(0, self.make_operator(_QUANTIZE, new, old))
        for old in [int(place) for place in self.subgraph.outputs]:
            new = self.add_tensor(old, schema.TensorType.FLOAT32, None)
            self.rename_output(old, new)
            self.subgraph.operators.append(self.make_operator(_DEQUANTIZE, old, new))

    def remove_output_dequantize(self) -> None:
        """Replace each output of a final DEQUANTIZE with the quantized tensor."""
        for operator in list(self.subgraph.operators):
            ends = self.has_code(operator, _DEQUANTIZE) and list(self.subgraph.outputs).count(
                operator.outputs[0]
            )
            read = any(operator.outputs[0] in other.inputs for other in self.subgraph.operators)
            if ends and not read:
                self.subgraph.operators.remove(operator)
                self.replace(operator.outputs[0], operator.inputs[0])

    def add_tensor(self, like: int, kind: int, quantization: tuple[float, int] | None) -> int:
        """Add a tensor of the shape of another; `quantization` is its scale and zero point."""
        tensor = schema.TensorT()
        tensor.shape, tensor.hasRank, tensor.buffer = self.tensors[like].shape, True, 0
        tensor.type, tensor.name = kind, f"{name_of(self.tensors[like])}_converted".encode()
        tensor.quantization = schema.QuantizationParametersT()
        if quantization is not None:
            tensor.quantization.scale = [quantization[0]]
            tensor.quantization.zeroPoint = [quantization[1]]
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add_input(self, like: int, kind: int, quantization: tuple[float, int] | None) -> int:
        """Replace the input `like` of the model with a new tensor."""
        new = self.add_tensor(like, kind, quantization)
        self.subgraph.inputs = [new]
        for signature in self.model.signatureDefs:
            for mapped in signature.inputs:
                mapped.tensorIndex = new
        return new

    def rename_output(self, old: int, new: int) -> None:
        """Replace output `old` of the model with tensor `new`."""
        self.subgraph.outputs = [
            new if place == old else int(place) for place in self.subgraph.outputs
        ]
        for signature in self.model.signatureDefs:
            for mapped in signature.outputs:
                mapped.tensorIndex = new if mapped.tensorIndex == old else mapped.tensorIndex

    def make_operator(self, code: int, source: int, target: int) -> schema.OperatorT:
        operator = schema.OperatorT()
        operator.opcodeIndex = self.index_of(code)
        operator.inputs, operator.outputs = [source], [target]
        return operator

    def index_of(self, code: int) -> int:
        for index, known in enumerate(self.model.operatorCodes):
            if max(known.builtinCode, known.deprecatedBuiltinCode) == code:
                return index
        added = schema.OperatorCodeT()
        added.builtinCode = added.deprecatedBuiltinCode = code
        added.version = 1
        self.model.operatorCodes.append(added)
        return len(self.model.operatorCodes) - 1

    def replace(self, old: int, new: int) -> None:
        """Replace tensor `old` with `new` in all operator inputs and model outputs."""
        for operator in self.subgraph.operators:
            operator.inputs = [new if place == old else int(place) for place in operator.inputs]
        self.rename_output(old, new)

    def remove_unread(self, code: int) -> None:
        """Remove operators of this code whose output is not read."""
        for operator in list(self.subgraph.operators):
            read = {int(place) for other in self.subgraph.operators for place in other.inputs}
            read |= {int(place) for place in self.subgraph.outputs}
            if self.has_code(operator, code) and operator.outputs[0] not in read:
                self.subgraph.operators.remove(operator)
