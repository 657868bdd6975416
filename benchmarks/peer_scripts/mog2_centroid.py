"""Counting as in OpenCV's and pyimagesearch's tutorials: MOG2 and a tracker of centroids.

Follows pyimagesearch.com/2018/07/23 (simple object tracking: the nearest centroid is the same
object, one that is not seen for a while is forgotten) and /2018/08/13 (people counter: each object
counts once, when its centroid is beyond the line and it has come from the other side).
"""

import cv2
import numpy as np
from blobs import Blobs
from playing import begin, play_to_counter

FORGOTTEN_AFTER = 40
"""Frames; the people counter's `maxDisappeared`."""
REACH = 0.1
"""Of the picture's width; the people counter's `maxDistance` is 50 of 500 px."""


class Tracked:
    """An object that is followed."""

    def __init__(self, center: np.ndarray) -> None:
        """Begin at a center, [x, y], px."""
        self.way = [center]
        self.unseen, self.counted = 0, False


class Counter:
    """Counts what passes the middle of the view, along x."""

    def __init__(self) -> None:
        """Begin without objects."""
        self._blobs, self._objects = Blobs(), list[Tracked]()

    def count(self, pixels: np.ndarray) -> list[tuple[float, float, int]]:
        """Count in one frame."""
        width = pixels.shape[1]
        boxes = np.array(self._blobs.find(pixels), np.float64).reshape(-1, 4)
        self._follow((boxes[:, :2] + boxes[:, 2:]) / 2, REACH * width)
        return [place for each in self._objects if (place := passed(each, width / 2))]

    def _follow(self, centers: np.ndarray, reach_px: float) -> None:
        """Give each center to the nearest object, the nearest pair first."""
        known = np.array([each.way[-1] for each in self._objects]).reshape(-1, 2)
        far = np.linalg.norm(known[:, None] - centers[None], axis=2)
        free, seen = set(range(len(centers))), set[int]()
        for place in np.argsort(far, axis=None).tolist():
            row, column = divmod(place, len(centers))
            if row not in seen and column in free and far[row, column] <= reach_px:
                self._objects[row].way.append(centers[column])
                self._objects[row].unseen = 0
                seen.add(row)
                free.remove(column)
        for row, each in enumerate(self._objects):
            each.unseen += row not in seen
        self._objects = [each for each in self._objects if each.unseen <= FORGOTTEN_AFTER]
        self._objects += [Tracked(centers[column]) for column in sorted(free)]


def passed(tracked: Tracked, line_px: float) -> tuple[float, float, int] | None:
    """Where an object is that is to be counted now; None: it is not."""
    x, y = tracked.way[-1]
    moves_on = x > np.mean([center[0] for center in tracked.way])
    if tracked.counted or x < line_px or not moves_on:
        return None
    tracked.counted = True
    return x, y, 1


task = begin("opencv-python-headless", "opencv-python", "opencv-contrib-python")
cv2.setNumThreads(task.threads)
play_to_counter(task, Counter().count)
