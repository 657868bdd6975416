"""Runtimes in processes of their own, each under its own Python, that infer when they are asked to.

So that runtimes which cannot share an environment still take turns in one run.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from benchmarks.marked import Timed, Way
from benchmarks.runtimes import SCRIPTS, START
from edge.errors import EwasteError

OPEN_TFLITE = """
interpreter = Interpreter(sys.argv[1], num_threads=int(sys.argv[3]))
interpreter.allocate_tensors()
given = interpreter.get_input_details()[0]["index"]
places = [each["index"] for each in interpreter.get_output_details() if len(each["shape"]) == 2]
def infer():
    interpreter.set_tensor(given, batch)
    interpreter.invoke()
    return [interpreter.get_tensor(place) for place in places]
"""
OPEN_OPENVINO = """
settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": int(sys.argv[3])}
model = openvino.Core().compile_model(sys.argv[1], "CPU", settings)
def infer():
    return [np.array(each) for each in model([batch]).values()]
"""
ANSWER = """
import json, os, time
def waited():
    total = 0
    for thread in os.listdir("/proc/self/task"):
        try:
            total += int(open(f"/proc/self/task/{thread}/schedstat").read().split()[1])
        except (OSError, ValueError, IndexError):
            pass
    return total
for line in sys.stdin:
    infer()
    times = []
    for _ in range(int(line)):
        before, worked, started = waited(), time.process_time(), time.perf_counter()
        infer()
        took, worked = time.perf_counter() - started, time.process_time() - worked
        times.append((took * 1e3, (waited() - before) / 1e6, worked * 1e3))
    print(json.dumps(times), flush=True)
"""


@contextmanager
def runtime_ways(
    model: Path, pixels: np.ndarray, pythons: Sequence[tuple[str, str]], threads: Sequence[int]
) -> Iterator[Mapping[tuple[str, int], Way]]:
    """Start the runtimes; they end with the block.

    Args:
        model: the .tflite file.
        pixels: uint8 RGB [size, size, 3].
        pythons: (runtime, path of a Python that has it).
        threads: of an inference.

    Yields:
        The way of each (runtime, threads).

    Raises:
        EwasteError: one cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="ewaste-runtimes-") as scratch, ExitStack() as ending:
        batch = Path(scratch) / "batch.npy"
        np.save(batch, pixels[np.newaxis])
        found = {}
        for runtime, python in pythons:
            for count in threads:
                process = _started(runtime, python, [str(model), str(batch), str(count)])
                ending.callback(_end, process)
                found[runtime, count] = _way(process, f"{runtime} under {python}")
        yield found


def _started(runtime: str, python: str, arguments: list[str]) -> subprocess.Popen[str]:
    opened = OPEN_OPENVINO if runtime == "openvino" else OPEN_TFLITE
    load = "batch = np.load(sys.argv[2])\n"
    script = f"{START}{SCRIPTS[runtime]}{load}{opened}{ANSWER}"
    try:
        process = subprocess.Popen(
            [python, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise EwasteError(f"{python}: cannot be run ({error.strerror})") from None
    assert process.stdout is not None
    process.stdout.readline()  # its version
    return process


def _way(process: subprocess.Popen[str], name: str) -> Way:
    def run(count: int) -> Sequence[Timed]:
        assert process.stdin is not None and process.stdout is not None
        try:
            print(count, file=process.stdin, flush=True)
            return [tuple(each) for each in json.loads(process.stdout.readline())]
        except (OSError, ValueError):
            _, written = process.communicate()
            reason = (written.strip() or "the process died").splitlines()[-1]
            raise EwasteError(f"{name}: {reason}") from None

    return run


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
