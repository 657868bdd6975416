"""Rebuild an untrusted classifier in a process of its own: a file that crashes it ends it alone.

HDF5 may hang or crash on a damaged file, and an architecture may ask for any amount of memory. So a
child process with bounded memory and time checks the file, builds the model, and writes it in the
form of a run's model. Only what it has managed to build is loaded into the caller's process.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convert.imported.stored import StoredModel, read_stored
from edge.errors import BadInput, EwasteError, one_line
from edge.inference.classifier import softmax
from edge.inference.preprocess import float_input
from edge.quiet import quiet

if TYPE_CHECKING:
    from convert.imported.pipeline import Pipeline

LOOKING_BYTES = 6 * 2**30
"""Memory for reading a file; the weights of the largest one are 4 GiB."""
BUILDING_BYTES = 8 * 2**30
"""Memory for the model, twice: the original and the new one. VGG16 takes 2 GB."""
LONGEST_S = 600.0
"""By the clock; a ResNet50 takes 20 s."""
TRIED_PICTURES = 4
MOST_DIFFERENCE = 1e-3
"""Largest difference of a probability between the original and the new model."""
ROOT = str(Path(__file__).parents[2])
CHILD = (
    f"import sys; sys.path[:] = [{ROOT!r}, *filter(None, sys.path)]; "
    "from convert.imported.trial import main; sys.exit(main(sys.argv[1]))"
)


@dataclass(frozen=True)
class Attempt:
    """What the child is to do.

    Attributes:
        source: a copy of the file.
        shown: the name of the file in messages.
        model: where to write the new model, a .keras file.
        preprocessing: one of `convert.imported.affine.PREPROCESSINGS`.
        size: height and width of the input, px; None: that of the file.
        classes: number of the labels.
    """

    source: str
    shown: str
    model: str
    preprocessing: str
    size: int | None
    classes: int


@dataclass(frozen=True)
class TrialResult:
    """What the child found.

    Attributes:
        stored: the checked architecture.
        source: the copy of the file, with the suffix of its kind.
        size: height and width of the input, px.
        folded: whether the preprocessing is part of the first convolution.
        gives_logits: whether the original has no softmax.
    """

    stored: StoredModel
    source: Path
    size: int
    folded: bool
    gives_logits: bool


def try_import(attempt: Attempt) -> TrialResult:
    """Rebuild a classifier in a child process.

    Raises:
        BadInput: the file is no classifier that can become a bundle; the message says why.
        EwasteError: no process can be started.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(asdict(attempt))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"{attempt.shown}: reading the model does not end; damaged?") from None
    except OSError as error:
        raise EwasteError(f"no process can be started ({error.strerror}); free memory") from None
    answer: dict = {}
    with suppress(ValueError):
        answer = json.loads(done.stdout)
    if "problem" in answer:
        raise BadInput(f"{attempt.shown}: {answer['problem'].removeprefix(f'{attempt.shown}: ')}")
    if done.returncode or "size" not in answer:
        reason = f"signal {-done.returncode}" if done.returncode < 0 else "it ended early"
        raise BadInput(f"{attempt.shown}: damaged, or too large to build ({reason})")
    stored = StoredModel(answer["suffix"], answer["config"])
    source = Path(attempt.source).with_suffix(stored.suffix)
    return TrialResult(stored, source, answer["size"], answer["folded"], answer["gives_logits"])


def main(given: str) -> int:
    """Be the child: print what was found as JSON."""
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    found: dict
    try:
        found = _attempt(Attempt(**json.loads(given)))
    except EwasteError as error:
        found = {"problem": str(error)}
    except MemoryError:
        found = {"problem": "too large to build"}
    # Odd values in a configuration make Keras raise anything.
    except Exception as error:
        found = {"problem": f"cannot be built ({one_line(f'{type(error).__name__}: {error}')})"}
    with answer:
        json.dump(found, answer)
    return 0


def _attempt(attempt: Attempt) -> dict:
    shown = Path(attempt.shown)
    with _memory(LOOKING_BYTES):
        stored = read_stored(Path(attempt.source), shown)
    source = Path(attempt.source).with_suffix(stored.suffix)
    Path(attempt.source).rename(source)
    from convert.tflite import tensorflow_converter  # noqa: F401 (silences TensorFlow)

    with _memory(BUILDING_BYTES), quiet():
        if stored.suffix == ".h5":
            _write_config(source, stored)
        return _rebuild(attempt, stored, source)


def _write_config(source: Path, stored: StoredModel) -> None:
    """Put the checked architecture into the copy of an HDF5 file."""
    import h5py

    with h5py.File(source, "r+") as file:
        file.attrs["model_config"] = json.dumps(stored.config)


def _rebuild(attempt: Attempt, stored: StoredModel, source: Path) -> dict:
    from convert.imported.pipeline import Pipeline, load_original
    from convert.imported.rebuild import rebuild

    original = load_original(source, stored, Path(attempt.shown))
    built = rebuild(original, attempt.size, attempt.preprocessing)
    classes = built.model.output_shape[-1]
    if classes != attempt.classes:
        raise BadInput(f"its model has {classes} outputs, but --labels names {attempt.classes}")
    size = built.model.input_shape[1]
    generator = np.random.default_rng(0)
    shape = TRIED_PICTURES, size, size, 3
    pictures = generator.integers(0, 256, shape, dtype=np.uint8)
    pipeline = Pipeline(original, attempt.preprocessing, built.gives_logits)
    _check_same(pipeline, pictures, built.model.predict_on_batch(float_input(pictures)))
    built.model.save(attempt.model)
    return {
        "suffix": stored.suffix,
        "config": stored.config,
        "size": size,
        "folded": built.folded,
        "gives_logits": built.gives_logits,
    }


def _check_same(pipeline: "Pipeline", pictures: np.ndarray, rebuilt: np.ndarray) -> None:
    """Check that the new model gives the probabilities of the original."""
    given = pipeline.outputs(pictures)
    if pipeline.gives_logits:
        given = softmax(given, 1.0)
    difference = float(np.abs(given - rebuilt).max())
    # A NaN must fail.
    if not difference <= MOST_DIFFERENCE:
        raise BadInput(
            f"its model cannot be rebuilt: a probability differs by {difference:.2g}; "
            "does it behave at random, or is a weight not finite?"
        )


@contextmanager
def _memory(most: int) -> Iterator[None]:
    """Bound the memory that this process takes beside what it has already."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + most
    with suppress(ValueError, OSError):  # less is allowed already
        resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
