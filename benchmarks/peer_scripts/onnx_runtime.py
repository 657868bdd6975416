"""ONNX Runtime: every picture through an `InferenceSession`, of an int8 model if that is given.

Follows onnxruntime.ai/docs/api/python, "Load and run a model". The input may be [1, S, S, 3] or
[1, 3, S, S], bytes of RGB or float32 `RGB - offset`.
"""

import cv2
import numpy as np
import onnxruntime
from playing import begin, float_input, play_to_classifier

task = begin("onnxruntime")
cv2.setNumThreads(task.threads)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = task.threads, 1
session = onnxruntime.InferenceSession(task.model, options, providers=["CPUExecutionProvider"])
given = session.get_inputs()[0]
is_planar = given.shape[1] == 3
size = given.shape[2]


def classify(view: np.ndarray) -> int:
    """Classify one picture."""
    image = cv2.resize(view, (size, size), interpolation=cv2.INTER_AREA)
    tensor = float_input(task, image) if given.type == "tensor(float)" else image[np.newaxis]
    if is_planar:
        tensor = np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))
    answers = session.run(None, {given.name: tensor})
    return int(np.argmax(next(each for each in answers if each.shape == (1, task.classes))))


play_to_classifier(task, classify)
