"""OpenVINO: every picture through a compiled model, here the bundle's own int8 model.

Follows docs.openvino.ai, notebook "Hello Image Classification": `cv2.resize`, `expand_dims`,
`compiled_model([picture])[output]`. It shrinks by the mean of areas, which suits it better.
"""

import cv2
import numpy as np
import openvino
from playing import begin, play_to_classifier

task = begin("openvino")
cv2.setNumThreads(task.threads)
compiled = openvino.Core().compile_model(
    task.model,
    "CPU",
    # Without the second hint, what is not quantized may run in bfloat16.
    {"INFERENCE_NUM_THREADS": task.threads, "INFERENCE_PRECISION_HINT": "f32"},
)
size = compiled.input(0).shape[1]
(output,) = (port for port in compiled.outputs if list(port.shape) == [1, task.classes])


def classify(view: np.ndarray) -> int:
    """Classify one picture."""
    image = cv2.resize(view, (size, size), interpolation=cv2.INTER_AREA)
    return int(np.argmax(compiled([image[np.newaxis]])[output]))


play_to_classifier(task, classify)
