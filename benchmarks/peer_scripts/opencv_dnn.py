"""OpenCV's own networks: every picture through `cv2.dnn`, with a model from ONNX.

Follows docs.opencv.org, "Deep Neural Networks (dnn module)", and samples/dnn/classification.py:
`readNetFromONNX`, `setInput`, `forward`. The input is float32 `RGB - offset`, [1, S, S, 3] or
[1, 3, S, S]; the module cannot tell which, nor its size: both are part of the file's name, as in
model-nhwc-160.onnx.
"""

import re

import cv2
import numpy as np
from playing import begin, float_input, play_to_classifier

task = begin("opencv-python-headless", "opencv-python", "opencv-contrib-python")
cv2.setNumThreads(task.threads)
net = cv2.dnn.readNetFromONNX(task.model)
named = re.search(r"(nhwc|nchw)-(\d+)", task.model)
if named is None:
    raise SystemExit("the name of the file says neither layout nor size: model-nhwc-160.onnx")
layout, size = named[1], int(named[2])
outputs = net.getUnconnectedOutLayersNames()


def classify(view: np.ndarray) -> int:
    """Classify one picture."""
    image = cv2.resize(view, (size, size), interpolation=cv2.INTER_AREA)
    tensor = float_input(task, image)
    if layout == "nchw":
        tensor = np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))
    net.setInput(tensor)
    answers = net.forward(outputs)
    return int(np.argmax(next(each for each in answers if each.shape == (1, task.classes))))


play_to_classifier(task, classify)
