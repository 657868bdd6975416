import numpy as np
from ai_edge_litert.interpreter import Interpreter

from convert.tflite.flatbuffer import BUFFER_ALIGNMENT, read_model, write_model

SIZE = 48


def with_weights_behind(content: bytes) -> bytes:
    """The same model with its largest weights behind the flatbuffer."""
    model = read_model(content)
    largest = max(model.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    weights, largest.data = bytes(largest.data), None
    largest.offset, largest.size = 2, len(weights)  # takes the room that the true offset will
    inside = len(write_model(model))
    largest.offset = -(-inside // BUFFER_ALIGNMENT) * BUFFER_ALIGNMENT
    moved = write_model(model)
    assert len(moved) == inside
    return moved.ljust(largest.offset, b"\0") + weights


def answer(content: bytes) -> np.ndarray:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    pixels = np.linspace(-117, 138, SIZE * SIZE * 3, dtype=np.float32)
    run = interpreter.get_signature_runner("serving_default")
    (name,) = run.get_input_details()
    return run(**{name: pixels.reshape(1, SIZE, SIZE, 3)})["logits"]


def test_weights_behind_the_flatbuffer_are_brought_into_it(tiny_fp32):
    content = tiny_fp32.read_bytes()
    moved = with_weights_behind(content)
    assert np.array_equal(answer(moved), answer(content)), "a valid file of that kind"
    assert write_model(read_model(moved)) == write_model(read_model(content))
    assert np.array_equal(answer(write_model(read_model(moved))), answer(content))
