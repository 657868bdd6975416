"""Compare the predictions of other TFLite runtimes: python benchmarks/runtimes.py --runtime ...

Each runtime runs in its own process with its own Python: they cannot share one environment
(tflite-runtime needs numpy 1).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from convert.proof.dataset import stratify
from convert.proof.golden import draw_input
from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.bundle.golden import steps_off
from edge.bundle.manifest import MODEL
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.preprocess import model_input
from edge.photos.dataset import find_photos
from edge.photos.reading import read_photos
from train.command import command

SCRIPTS: Mapping[str, str] = {
    "ai_edge_litert": """
from ai_edge_litert.interpreter import Interpreter
from importlib.metadata import version
print(version("ai-edge-litert"))
""",
    "tflite_runtime": """
from tflite_runtime.interpreter import Interpreter
from importlib.metadata import version
print(version("tflite-runtime"))
""",
    "openvino": """
import openvino
print(openvino.__version__.partition("-")[0])
""",
}
TFLITE = """
interpreter = Interpreter(sys.argv[1], num_threads=2)
interpreter.allocate_tensors()
runner = interpreter.get_signature_runner("serving_default")
name = next(iter(runner.get_input_details()))
answers = [runner(**{name: image[None]})["logits"][0] for image in np.load(sys.argv[2])]
"""
OPENVINO = """
# Without the hint, what is not quantized would run in bfloat16.
model = openvino.Core().compile_model(sys.argv[1], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
classes = int(sys.argv[4])
(logits,) = (port for port in model.outputs if list(port.shape) == [1, classes])
answers = [model({0: image[None]})[logits][0] for image in np.load(sys.argv[2])]
"""
START = "import sys\nimport numpy as np\n"
END = "np.save(sys.argv[3], np.array(answers))\n"


@dataclass(frozen=True)
class RuntimeRow:
    """The comparison of one runtime with the first.

    Attributes:
        runtime: its name.
        version: its version.
        images: number of images.
        same: number of images with the same top class as the first runtime.
        largest_difference: largest difference of a logit, quantization steps of the output.
    """

    runtime: str
    version: str
    images: int
    same: int
    largest_difference: int


def compare_runtimes(
    bundle: Bundle, pixels: np.ndarray, pythons: Sequence[tuple[str, str]]
) -> list[RuntimeRow]:
    """Run each runtime on the same images and compare it with the first.

    Args:
        bundle: the bundle.
        pixels: uint8 RGB [n, S, S, 3].
        pythons: (runtime, path of a Python that has it).

    Raises:
        EwasteError: a runtime cannot be run.
    """
    rows, first = [], None
    with tempfile.TemporaryDirectory(prefix="ewaste-runtimes-") as scratch:
        inputs = Path(scratch) / "inputs.npy"
        np.save(inputs, pixels)
        for runtime, python in pythons:
            outputs = Path(scratch) / f"{runtime}.npy"
            version = _run_runtime(runtime, python, bundle, inputs, outputs)
            logits = np.load(outputs)
            first = logits if first is None else first
            same = int((logits.argmax(axis=1) == first.argmax(axis=1)).sum())
            rows.append(RuntimeRow(runtime, version, len(pixels), same, steps_off(logits, first)))
    return rows


def _run_runtime(runtime: str, python: str, bundle: Bundle, inputs: Path, outputs: Path) -> str:
    """Run a runtime, which writes its logits to `outputs`; returns its version."""
    inference = OPENVINO if runtime == "openvino" else TFLITE
    script = START + SCRIPTS[runtime] + inference + END
    arguments = [str(bundle.path / MODEL), str(inputs), str(outputs), str(len(bundle.labels))]
    done = subprocess.run(
        [python, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip() or "the process died").splitlines()[-1]
        raise EwasteError(f"{runtime} under {python}: {reason}")
    return done.stdout.strip().splitlines()[0]


def read_images(bundle: Bundle, photos: Path | None, images: int) -> np.ndarray:
    """Model inputs: photos of `CLASS/*.jpg`, the classes as even as possible, or drawn items."""
    size, labels = bundle.manifest.input.size, bundle.labels
    if photos is None:
        drawn = [draw_input(labels[n % len(labels)], n, size) for n in range(images)]
        return np.stack(drawn)
    chosen = stratify(find_photos(photos), 0)[:images]
    read = read_photos(chosen)
    return np.stack([model_input(pixels, size) for _, pixels in read])


def main(
    *,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    photos: Annotated[
        Path | None, typer.Option(help="folder of photos, CLASS/*.jpg; default: drawn items")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="number of images")] = 100,
    runtime: Annotated[
        list[str] | None,
        typer.Option(help=f"runtime as NAME=PYTHON, NAME one of {', '.join(SCRIPTS)}; repeatable"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Compare runtimes. Exit codes: 0 done, 1 failed, 2 bad input, 3 differences."""
    with command():
        pythons = [("ai_edge_litert", sys.executable)]
        for given in runtime or ():
            name, _, python = given.partition("=")
            if name not in SCRIPTS or not python:
                raise BadInput(f"--runtime {given}: expected NAME=PYTHON of {', '.join(SCRIPTS)}")
            pythons.append((name, python))
        loaded = load_bundle(bundle)
        rows = compare_runtimes(loaded, read_images(loaded, photos, images), pythons)
        if as_json:
            print(json.dumps({"rows": [asdict(row) for row in rows]}))
        else:
            print(f"{'runtime':16}  {'version':12}  images    agreement  largest difference")
            for row in rows:
                print(
                    f"{row.runtime:16}  {row.version:12}  {row.images:6}  {row.same:11}  "
                    f"{row.largest_difference:18}"
                )
        differing = [row.runtime for row in rows if row.same < row.images]
        if differing:
            raise Refused(f"{', '.join(differing)}: predictions differ from the first runtime")


if __name__ == "__main__":
    typer.run(main)
