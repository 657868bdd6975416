"""ncnn: every picture through a net, whose .bin lies beside its .param.

Follows github.com/Tencent/ncnn, docs/how-to-use-and-FAQ/use-ncnn-with-pytorch-or-onnx:
`from_pixels`, `substract_mean_normalize`, `input`, `extract`. The names of input and output are the
net's first and last; its size is part of the file's name, as in model-160.param.
"""

import re

import cv2
import ncnn
import numpy as np
from playing import begin, play_to_classifier

task = begin("ncnn")
cv2.setNumThreads(task.threads)
net = ncnn.Net()
net.opt.num_threads = task.threads
net.load_param(task.model)
net.load_model(re.sub(r"\.param$", ".bin", task.model))
named = re.search(r"-(\d+)\.", task.model)
if named is None:
    raise SystemExit("the name of the file does not say the size: model-160.param")
size = int(named[1])
first, last = net.input_names()[0], net.output_names()[-1]


def classify(view: np.ndarray) -> int:
    """Classify one picture."""
    image = cv2.resize(view, (size, size), interpolation=cv2.INTER_AREA)
    given = ncnn.Mat.from_pixels(image, ncnn.Mat.PixelType.PIXEL_RGB, size, size)
    given.substract_mean_normalize([float(task.offset)] * 3, [])
    extractor = net.create_extractor()
    extractor.input(first, given)
    _, answer = extractor.extract(last)
    return int(np.argmax(np.array(answer).ravel()))


play_to_classifier(task, classify)
