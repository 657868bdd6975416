"""The peers of `benchmarks/peers.py`, which of them are present, and how they are run."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from benchmarks.peer_film import PlantFilm
from benchmarks.peer_scripts.ours import LineTask
from benchmarks.peer_scripts.playing import Task
from edge.bundle.bundle import Bundle
from edge.bundle.manifest import MODEL
from edge.errors import EwasteError
from edge.inference.preprocess import INPUT_OFFSET

SCRIPTS = Path(__file__).parent / "peer_scripts"
THREAD_KEYS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


class Given(Enum):
    """The model that a peer needs; the value is the option that names it."""

    NOTHING = ""
    BUNDLE = "--bundle"
    KERAS = "--keras"
    ONNX = "--onnx"
    NCNN = "--ncnn"


@dataclass(frozen=True)
class Peer:
    """What others use instead of the line, or of a part of it.

    Attributes:
        name: its name.
        script: the file in `peer_scripts`.
        model: the model that it needs; `NOTHING` for one that counts.
        install: what to install for it.
    """

    name: str
    script: str
    model: Given
    install: str

    @property
    def counts(self) -> bool:
        """Whether it counts items; else it classifies frames."""
        return self.model is Given.NOTHING


PEERS = (
    Peer("tflite-pillow", "tflite_pillow.py", Given.BUNDLE, "tflite-runtime 'numpy<2' pillow"),
    Peer("edge-impulse", "edge_impulse.py", Given.BUNDLE, "ai-edge-litert opencv-python-headless"),
    Peer("openvino", "openvino_frames.py", Given.BUNDLE, "openvino opencv-python-headless"),
    Peer("keras", "keras_predict.py", Given.KERAS, "tensorflow pillow"),
    Peer("onnxruntime", "onnx_runtime.py", Given.ONNX, "onnxruntime opencv-python-headless"),
    Peer("opencv-dnn", "opencv_dnn.py", Given.ONNX, "opencv-python-headless"),
    Peer("ncnn", "ncnn_frames.py", Given.NCNN, "ncnn opencv-python-headless"),
    Peer("mog2-centroid", "mog2_centroid.py", Given.NOTHING, "opencv-python-headless"),
    Peer(
        "supervision",
        "supervision_line.py",
        Given.NOTHING,
        "'supervision<0.28' opencv-python-headless",
    ),
)


@dataclass(frozen=True)
class Present:
    """A peer that can be run.

    Attributes:
        peer: which.
        python: path of a Python that has what it needs.
        version: of its package, with the package's name.
    """

    peer: Peer
    python: str
    version: str


@dataclass(frozen=True)
class Missing:
    """A peer that cannot be run.

    Attributes:
        name: its name.
        reason: one line.
        remedy: what to do.
    """

    name: str
    reason: str
    remedy: str


def look_for(
    peers: Sequence[Peer],
    pythons: Mapping[str, Sequence[str]],
    models: Mapping[Given, Path],
    trial: Callable[[Present], object],
) -> tuple[list[Present], list[Missing]]:
    """Find out which peers can be run, before the long run begins.

    Args:
        peers: the peers.
        pythons: name of a peer -> paths of Pythons, under each of which it runs; others are looked
            for in this one.
        models: the models that are there.
        trial: lets a peer work on a short film; raises EwasteError if it cannot.

    Raises:
        EwasteError: a peer that was named with a Python does not run there.
    """
    present, missing = list[Present](), list[Missing]()
    for peer in peers:
        if peer.model is not Given.NOTHING and peer.model not in models:
            remedy = f"give a model by {peer.model.value} FILE"
            missing.append(Missing(peer.name, "no model was given", remedy))
            continue
        for python in pythons.get(peer.name, [sys.executable]):
            found = _tried(peer, python, trial)
            if isinstance(found, Present):
                present.append(found)
            elif peer.name in pythons:
                raise EwasteError(f"{peer.name} under {python}: {found.reason}")
            else:
                missing.append(found)
    return present, missing


def _tried(peer: Peer, python: str, trial: Callable[[Present], object]) -> Present | Missing:
    """Ask a peer for its version, then let it work on a short film."""
    done = _run([python, str(SCRIPTS / peer.script)], 1)
    if done.returncode:
        remedy = f"pip install {peer.install}, then --peer {peer.name}=PYTHON"
        return Missing(peer.name, _reason(done), remedy)
    found = Present(peer, python, done.stdout.strip())
    try:
        trial(found)
    except EwasteError as error:
        return Missing(peer.name, str(error), f"give a {peer.model.value} that it takes")
    return found


def run_peer(
    present: Present,
    film: PlantFilm,
    *,
    model: Path | None,
    classes: int,
    threads: int,
    whole_frame: bool,
) -> dict[str, Any]:
    """Let a peer work through a film.

    Returns:
        Its answer: `cpu_s`, and `classes` or `counted` (`peer_scripts.playing`).

    Raises:
        EwasteError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="ewaste-peer-") as scratch:
        task = Task(
            film=str(film.frames),
            fps=film.scenario.camera.fps,
            threads=threads,
            whole_frame=whole_frame,
            model="" if model is None else str(model),
            classes=classes,
            offset=INPUT_OFFSET,
            answer=str(Path(scratch) / "answer.json"),
        )
        script = SCRIPTS / present.peer.script
        return _answer(present.peer.name, [present.python, str(script)], task, threads)


def run_line(
    film: PlantFilm, bundle: Bundle, *, threads: int, encoder: str | None = None
) -> dict[str, Any]:
    """Let the line work through a film, in a process of its own.

    Args:
        film: what its camera sees.
        bundle: its model.
        threads: of an inference.
        encoder: a kind of encoder instead of the scenario's.

    Returns:
        Its answer: `cpu_s` and `records` (`peer_scripts.ours`).

    Raises:
        EwasteError: it failed.
    """
    scenario = film.scenario.model_dump(mode="json")
    if encoder is not None:
        scenario["encoder"] = {"kind": encoder}
    with tempfile.TemporaryDirectory(prefix="ewaste-peer-") as scratch:
        task = LineTask(
            film=str(film.frames),
            scenario=scenario,
            seed=film.seed,
            bundle=str(bundle.path),
            threads=threads,
            answer=str(Path(scratch) / "answer.json"),
        )
        return _answer("the line", [sys.executable, str(SCRIPTS / "ours.py")], task, threads)


def bundle_model(bundle: Bundle) -> Path:
    """The model file of a bundle."""
    return bundle.path / MODEL


def _answer(name: str, command: list[str], task: Task | LineTask, threads: int) -> dict[str, Any]:
    """Run a script on its task and read what it has written.

    Raises:
        EwasteError: it failed.
    """
    answer = Path(task.answer)
    given = answer.with_name("task.json")
    given.write_text(json.dumps(asdict(task)))
    done = _run([*command, str(given)], threads)
    if done.returncode:
        raise EwasteError(f"{name} under {command[0]}: {_reason(done)}")
    return json.loads(answer.read_text())


def _run(command: list[str], threads: int) -> subprocess.CompletedProcess[str]:
    """Run a script with so many threads at most.

    Raises:
        EwasteError: there is no such Python.
    """
    # What libraries start by themselves; the scripts say the rest.
    environment = os.environ | dict.fromkeys(THREAD_KEYS, str(threads))
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise EwasteError(f"{command[0]}: cannot be run ({error.strerror})") from None


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or "the process died").splitlines()[-1]
