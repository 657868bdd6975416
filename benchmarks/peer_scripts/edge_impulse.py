"""Edge Impulse's loop on Linux: every picture becomes a list of features, which is classified.

Follows github.com/edgeimpulse/linux-sdk-python, examples/image/classify.py and
`get_features_from_image`: the short side fits, the middle is cut out, and each pixel becomes one
number of a Python list. There, the list goes as JSON to a program (.eim), which takes it apart
and runs TensorFlow Lite. Here it goes to the same runtime in this process: a kinder case.
"""

import math

import cv2
import numpy as np
from playing import begin, play_to_classifier

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter

task = begin("ai-edge-litert", "tflite-runtime")
cv2.setNumThreads(task.threads)
interpreter = Interpreter(task.model, num_threads=task.threads)
interpreter.allocate_tensors()
given = interpreter.get_input_details()[0]
size = int(given["shape"][1])
(output,) = (
    each for each in interpreter.get_output_details() if list(each["shape"]) == [1, task.classes]
)


def features_of(view: np.ndarray) -> list[int]:
    """The pixels of the middle, each as red, green, and blue in one number."""
    height, width = view.shape[:2]
    factor = max(size / width, size / height)
    shape = (math.ceil(factor * width), math.ceil(factor * height))
    resized = cv2.resize(view, shape, interpolation=cv2.INTER_AREA)
    left, top = (shape[0] - size) // 2, (shape[1] - size) // 2
    values = resized[top : top + size, left : left + size].flatten().tolist()
    reds, greens, blues = values[0::3], values[1::3], values[2::3]
    return [
        (red << 16) + (green << 8) + blue
        for red, green, blue in zip(reds, greens, blues, strict=True)
    ]


def classify(view: np.ndarray) -> int:
    """Classify one picture."""
    features = np.array(features_of(view), np.uint32)
    channels = [features >> 16 & 255, features >> 8 & 255, features & 255]
    pixels = np.stack(channels, axis=-1).astype(np.uint8).reshape(1, size, size, 3)
    interpreter.set_tensor(given["index"], pixels)
    interpreter.invoke()
    return int(np.argmax(interpreter.get_tensor(output["index"])))


play_to_classifier(task, classify)
