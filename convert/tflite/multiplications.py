"""How much a .tflite model computes."""

import math

from ai_edge_litert import schema_py_generated as schema

from convert.tflite.flatbuffer import read_model

_WEIGHTED = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
}


def count_multiplications(content: bytes) -> int:
    """Multiply-accumulate operations of one inference in convolutions and dense layers.

    Each value of an output is a sum of as many products as one filter has weights: kernel height x
    width x input channels, or the inputs of a dense layer. Pooling and addition count nothing.
    """
    model = read_model(content)
    total = 0
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            if kind not in _WEIGHTED:
                continue
            weights = [int(each) for each in subgraph.tensors[operator.inputs[1]].shape]
            made = [int(each) for each in subgraph.tensors[operator.outputs[0]].shape]
            per_value = math.prod(weights[1:])
            if kind == schema.BuiltinOperator.DEPTHWISE_CONV_2D:
                per_value = math.prod(weights[1:3])
            total += math.prod(made) * per_value
    return total
