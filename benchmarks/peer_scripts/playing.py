"""What each peer's script does with the film: take it picture by picture, and time its own work.

The scripts run under other Pythons, so they import this file and nothing else of the project.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """What a script has to do.

    Attributes:
        film: a .npy file, uint8 RGB [frames, H, W, 3].
        fps: frames per second of the film.
        threads: how many the peer may use.
        whole_frame: whether a classifier gets the whole frame; else its middle square.
        model: the model file; empty for a counter.
        classes: number of classes of the model.
        offset: what the input of a model in floating point lacks: it is `RGB - offset`.
        answer: the JSON file to write.
    """

    film: str
    fps: float
    threads: int
    whole_frame: bool
    model: str
    classes: int
    offset: int
    answer: str


def begin(*packages: str) -> Task:
    """The task; without one, the script prints the version of its package and ends.

    Args:
        packages: names of the package; the first that is installed counts.
    """
    if len(sys.argv) < 2:
        print(_version(packages))
        sys.exit()
    return Task(**json.loads(Path(sys.argv[1]).read_text()))


def _version(packages: tuple[str, ...]) -> str:
    for package in packages:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    return packages[0]


def play_to_classifier(task: Task, classify: Callable[[np.ndarray], int]) -> None:
    """Classify each frame and write the classes.

    Args:
        task: what to do.
        classify: takes uint8 RGB [H, W, 3], returns the number of the class.
    """
    frames = np.load(task.film, mmap_mode="r")
    classify(_view(task, np.array(frames[0])))  # the first one takes longer
    classes, spent_s = [], 0.0
    for frame in frames:
        pixels = np.array(frame)  # as a camera hands it over: this is nobody's work
        started = time.process_time()
        classes.append(int(classify(_view(task, pixels))))
        spent_s += time.process_time() - started
    _write(task, {"classes": classes, "cpu_s": spent_s})


def play_to_counter(
    task: Task, count: Callable[[np.ndarray], list[tuple[float, float, int]]]
) -> None:
    """Show each frame to a counter and write what it counted.

    Args:
        task: what to do.
        count: takes uint8 RGB [H, W, 3], returns what it counts at this frame: column and row of
            the center, px, and 1; or -1 for one that went back.
    """
    counted, spent_s = [], 0.0
    for number, frame in enumerate(np.load(task.film, mmap_mode="r")):
        pixels = np.array(frame)
        started = time.process_time()
        found = count(pixels)
        spent_s += time.process_time() - started
        counted += [(number, float(x), float(y), step) for x, y, step in found]
    _write(task, {"counted": counted, "cpu_s": spent_s})


def float_input(task: Task, pixels: np.ndarray) -> np.ndarray:
    """The input of a model in floating point, float32 [1, S, S, 3]."""
    return (pixels.astype(np.float32) - task.offset)[np.newaxis]


def _view(task: Task, pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    if task.whole_frame or width <= height:
        return pixels
    left = (width - height) // 2
    return np.ascontiguousarray(pixels[:, left : left + height])


def _write(task: Task, answer: dict[str, Any]) -> None:
    Path(task.answer).write_text(json.dumps(answer))
