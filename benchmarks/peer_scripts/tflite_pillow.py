"""TensorFlow Lite's example for the Raspberry Pi: every picture, shrunk by Pillow.

Follows github.com/tensorflow/examples, lite/examples/image_classification/raspberry_pi/
classify_picamera.py: `Image.resize` with ANTIALIAS (now LANCZOS), `set_tensor`, `invoke`, the best
class of the dequantized output. The camera's JPEG is left out, and with it its decoding.
"""

import numpy as np
from PIL import Image
from playing import begin, play_to_classifier

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter

task = begin("ai-edge-litert", "tflite-runtime")
interpreter = Interpreter(task.model, num_threads=task.threads)
interpreter.allocate_tensors()
given = interpreter.get_input_details()[0]
_, height, width, _ = given["shape"]
(output,) = (
    each for each in interpreter.get_output_details() if list(each["shape"]) == [1, task.classes]
)
scale, zero_point = output["quantization"]


def classify(view: np.ndarray) -> int:
    """Classify one picture."""
    image = Image.fromarray(view).convert("RGB").resize((width, height), Image.LANCZOS)
    interpreter.set_tensor(given["index"], np.asarray(image)[np.newaxis])
    interpreter.invoke()
    scores = np.squeeze(interpreter.get_tensor(output["index"]))
    return int(np.argmax(scale * (scores.astype(np.float32) - zero_point)))


play_to_classifier(task, classify)
