"""Small changes to a converted .tflite file: what goes in and out of it, and its metadata.

The file is a flatbuffer (the "TFL3" schema); `ai_edge_litert` brings Python classes for it.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.inference.preprocess import INPUT_OFFSET

_QUANTIZE, _DEQUANTIZE = schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE
BUFFER_ALIGNMENT = 16
"""Bytes; the schema's `force_align` of weights, which kernels may count on."""

INSIDE = 1
"""The largest offset of a buffer that says that its data are its own, by the schema."""


class _Builder(flatbuffers.Builder):
    """A builder that keeps weights aligned, which the generated Python code forgets."""

    def CreateNumpyVector(self, array: np.ndarray) -> int:  # noqa: N802 (overrides)
        self.Prep(BUFFER_ALIGNMENT, array.nbytes)
        return super().CreateNumpyVector(array)


def read_model(content: bytes) -> schema.ModelT:
    """The objects of a .tflite file, free to be changed.

    Weights that lie behind the flatbuffer, as in files of some quantizers, are brought into it.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > INSIDE:
            begin, end = buffer.offset, buffer.offset + buffer.size
            buffer.data = np.frombuffer(content[begin:end], np.uint8)
            buffer.offset = buffer.size = 0
    return model


def write_model(model: schema.ModelT) -> bytes:
    """The .tflite file of such objects; the same objects give the same bytes."""
    builder = _Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def name_of(tensor: schema.TensorT) -> str:
    """The name of a tensor, which is that of the layers that make it."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name


def take_raw_bytes(content: bytes) -> bytes:
    """Make a model of `RGB - 117` take uint8 RGB, and give integers where it has them.

    The input may be float32, or int8 of scale 1.0 and zero point -11, as quantizers leave it.
    Round trips through 8 bits between two float layers, which add nothing but error, go.
    """
    model = read_model(content)
    graph = _Graph(model)
    graph.join_floats()
    graph.take_bytes()
    graph.give_integers()
    return write_model(model)


def take_floats(content: bytes) -> bytes:
    """Make a model of integers take and give float32."""
    model = read_model(content)
    graph = _Graph(model)
    graph.take_and_give_floats()
    return write_model(model)


class _Graph:
    """The one subgraph of a model, while its operators are changed."""

    def __init__(self, model: schema.ModelT) -> None:
        self.model = model
        (self.subgraph,) = model.subgraphs
        self.tensors = self.subgraph.tensors

    def code_of(self, operator: schema.OperatorT) -> int:
        code = self.model.operatorCodes[operator.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    def is_(self, operator: schema.OperatorT, code: int) -> bool:
        return self.code_of(operator) == code

    def join_floats(self) -> None:
        """Remove QUANTIZE followed by DEQUANTIZE: whoever reads the latter reads the former."""
        quantized = {
            operator.outputs[0]: operator.inputs[0]
            for operator in self.subgraph.operators
            if self.is_(operator, _QUANTIZE)
            and self.tensors[operator.inputs[0]].type == schema.TensorType.FLOAT32
        }
        for operator in list(self.subgraph.operators):
            if self.is_(operator, _DEQUANTIZE):
                source = quantized.get(operator.inputs[0])
                if source is not None and operator.outputs[0] not in self.subgraph.outputs:
                    self.replace(operator.outputs[0], source)
                    self.subgraph.operators.remove(operator)
        self.prune(_QUANTIZE)

    def take_bytes(self) -> None:
        """Put a uint8 tensor before the input."""
        (old,) = self.subgraph.inputs
        kind = self.tensors[old].type
        if kind == schema.TensorType.UINT8:
            return
        new = self.add_input(old, schema.TensorType.UINT8, (1.0, INPUT_OFFSET))
        rest = [operator for operator in self.subgraph.operators if old in operator.inputs]
        code = _QUANTIZE
        if kind == schema.TensorType.FLOAT32:
            code = _DEQUANTIZE
            # QUANTIZE takes uint8 as well as float32, and is then a mere shift.
            for operator in [each for each in rest if self.is_(each, _QUANTIZE)]:
                operator.inputs = [new]
                rest.remove(operator)
        if rest:
            self.subgraph.operators.insert(0, self.make_operator(code, new, old))

    def take_and_give_floats(self) -> None:
        """Put float32 tensors before the input and behind the outputs."""
        (old,) = self.subgraph.inputs
        new = self.add_input(old, schema.TensorType.FLOAT32, None)
        self.subgraph.operators.insert(0, self.make_operator(_QUANTIZE, new, old))
        for old in [int(place) for place in self.subgraph.outputs]:
            new = self.add_tensor(old, schema.TensorType.FLOAT32, None)
            self.rename_output(old, new)
            self.subgraph.operators.append(self.make_operator(_DEQUANTIZE, old, new))

    def give_integers(self) -> None:
        """Where an output is dequantized at the very end, give what it was made from."""
        for operator in list(self.subgraph.operators):
            ends = self.is_(operator, _DEQUANTIZE) and list(self.subgraph.outputs).count(
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
        """Let the model take a new tensor instead of its input `like`."""
        new = self.add_tensor(like, kind, quantization)
        self.subgraph.inputs = [new]
        for signature in self.model.signatureDefs:
            for mapped in signature.inputs:
                mapped.tensorIndex = new
        return new

    def rename_output(self, old: int, new: int) -> None:
        """Let the model give tensor `new` where it gave `old`."""
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
        """Let everything that reads tensor `old` read `new`, and the model give it."""
        for operator in self.subgraph.operators:
            operator.inputs = [new if place == old else int(place) for place in operator.inputs]
        self.rename_output(old, new)

    def prune(self, code: int) -> None:
        """Remove operators of a kind whose output nobody reads."""
        for operator in list(self.subgraph.operators):
            read = {int(place) for other in self.subgraph.operators for place in other.inputs}
            read |= {int(place) for place in self.subgraph.outputs}
            if self.is_(operator, code) and operator.outputs[0] not in read:
                self.subgraph.operators.remove(operator)
