"""Counting with supervision: ByteTrack and LineZone, here over what MOG2 finds.

Follows supervision.roboflow.com, "Line Zone": `ByteTrack.update_with_detections`, then
`LineZone.trigger`, across the middle of the view. The anchor is the center of a box: with the
default, all four corners, long items count too late. Going back takes one off, as in
`in_count - out_count`. Release 0.31 has no ByteTrack.
"""

import warnings

import cv2
import numpy as np

warnings.filterwarnings("ignore")

from blobs import Blobs
from playing import begin, play_to_counter
from supervision import ByteTrack, Detections, LineZone, Point, Position

task = begin("supervision")
cv2.setNumThreads(task.threads)
blobs = Blobs()
tracker = ByteTrack(frame_rate=round(task.fps))
height, width = np.load(task.film, mmap_mode="r").shape[1:3]
line = LineZone(
    start=Point(width / 2, 0),
    end=Point(width / 2, height),
    triggering_anchors=[Position.CENTER],
)


def count(pixels: np.ndarray) -> list[tuple[float, float, int]]:
    """Count in one frame."""
    boxes = np.array(blobs.find(pixels), np.float32).reshape(-1, 4)
    detections = Detections(
        xyxy=boxes,
        confidence=np.ones(len(boxes), np.float32),
        class_id=np.zeros(len(boxes), int),
    )
    tracked = tracker.update_with_detections(detections)
    # Beside a line that runs down the picture, +x is its inside.
    onwards, backwards = line.trigger(tracked)
    centers = (tracked.xyxy[:, :2] + tracked.xyxy[:, 2:]) / 2
    steps = onwards.astype(int) - backwards.astype(int)
    return [
        (x, y, step) for (x, y), step in zip(centers.tolist(), steps.tolist(), strict=True) if step
    ]


play_to_counter(task, count)
