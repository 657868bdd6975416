"""The picture and the status that the line publishes for its page, in two files."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from edge.files import PRIVATE, write_whole
from edge.status import STOPPED, Status, write_status
from edge.worker import Worker

log = logging.getLogger(__name__)

LIVE_NAME = "live.jpg"
JPEG_QUALITY = 80
COLORS = {
    "item": (255, 255, 255),
    "sorted": (46, 160, 67),
    "manual": (240, 165, 0),
    "hazard": (218, 30, 40),
    "line": (30, 110, 220),
}
"""RGB by kind: an item without a verdict, one sent to its bin, one sent to `manual`, a hazard, and
marks of the line itself."""


@dataclass(frozen=True)
class Overlay:
    """A box with a text on the live picture.

    Attributes:
        box: left, top, right, bottom in pixels of the frame.
        text: one line above the box.
        kind: a key of `COLORS`.
    """

    box: tuple[float, float, float, float]
    text: str
    kind: str = "item"


def annotate(pixels: np.ndarray, overlays: Sequence[Overlay], max_width: int) -> np.ndarray:
    """Draw `overlays` on a copy of uint8 RGB [H, W, 3], reduced to at most `max_width`.

    Returns uint8 BGR [h, w, 3], as OpenCV encodes it.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, max_width / width)
    if scale < 1:
        size = (max_width, max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    picture = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    for overlay in overlays:
        _draw(picture, overlay, scale)
    return picture


def _draw(picture: np.ndarray, overlay: Overlay, scale: float) -> None:
    """Draw one overlay on uint8 BGR [h, w, 3], in place."""
    color = COLORS.get(overlay.kind, COLORS["item"])
    left, top, right, bottom = (round(edge * scale) for edge in overlay.box)
    cv2.rectangle(picture, (left, top), (right, bottom), color[::-1], 3)
    if not overlay.text:
        return
    plate = _plate(overlay.text, color, max(13, picture.shape[1] // 52))
    height, width = min(plate.shape[0], picture.shape[0]), min(plate.shape[1], picture.shape[1])
    left = max(0, min(left - 1, picture.shape[1] - width))
    top = max(0, min(top - height, picture.shape[0] - height))
    picture[top : top + height, left : left + width] = plate[:height, :width]


@lru_cache(maxsize=64)
def _plate(text: str, color: tuple[int, int, int], size: int) -> np.ndarray:
    """A line of text on a background of `color` (RGB), uint8 BGR [h, w, 3].

    By Pillow: OpenCV 5 loads megabytes of fonts for its first letter, and has fewer of them.
    """
    from PIL import Image, ImageDraw, ImageFont  # not before the first item: it takes its time

    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    plate = Image.new("RGB", (int(right - left) + 10, int(bottom - top) + 10), color)
    ink = (0, 0, 0) if sum(color) > 380 else (255, 255, 255)
    ImageDraw.Draw(plate).text((5 - left, 5 - top), text, font=font, fill=ink)
    return np.asarray(plate)[..., ::-1]


def _replace(path: Path, content: bytes) -> None:
    """Replace a file at once, without fsync: it is worth nothing after a restart."""
    write_whole(path, content, mode=PRIVATE, durable=False)


class LivePublisher(Worker):
    """Publishes the newest picture and status.

    A failure (disk full, folder gone, a bad picture) is counted, not raised.

    Attributes:
        failures: number of failures.
        error: the last failure in one line; None: there was none.
        failing: the last attempt failed.
    """

    def __init__(
        self,
        state_dir: Path,
        max_fps: float = 10,
        max_width: int = 960,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Start the thread.

        Args:
            state_dir: folder of the two files; it is made when it is missing. A folder in memory
                (/run) saves write cycles of the card.
            max_fps: how often the files are replaced at most, 1/s.
            max_width: largest width of the picture, px.
            now: returns unix seconds.
        """
        super().__init__("live")
        self._folder, self._max_width, self._now = state_dir, max_width, now
        self._period = 1 / max_fps
        self._slot: tuple[np.ndarray | None, Sequence[Overlay], Status] | None = None
        self._slot_lock = threading.Lock()
        self.failures = 0
        self.error: str | None = None
        self.failing = False
        self._start()

    def offer(self, pixels: np.ndarray | None, overlays: Sequence[Overlay], status: Status) -> None:
        """Offer uint8 RGB [H, W, 3] and what to draw on it; returns at once.

        Newer offers replace one that is not drawn yet. `pixels` is not copied, so the caller must
        not write into it afterwards; None leaves the last picture in place.
        """
        with self._slot_lock:
            self._slot = (pixels, overlays, status)
        self.wake()

    def close(self, timeout: float = 2.0) -> None:
        """Stop, with a last status that says `stopped`; may be called twice."""
        self._finish(timeout)

    def _take(self) -> tuple[np.ndarray | None, Sequence[Overlay], Status] | None:
        self._awake.clear()
        with self._slot_lock:
            slot, self._slot = self._slot, None
        return slot

    def _run(self) -> None:
        last: Status | None = None
        closing = False
        while not closing:
            self._awake.wait()
            closing = self._closing.is_set()
            slot = self._take()
            if slot is not None:
                last = slot[2]
                self._attempt(self._publish, *slot)
            self._closing.wait(self._period)
        self._attempt(self._write_stopped, last)

    def _attempt(self, action: Callable[..., None], *arguments: object) -> None:
        try:
            action(*arguments)
        except BaseException as error:  # no exception may end the thread
            self.failures += 1
            self.error = " ".join(f"live view: {error}".split())
            if not self.failing:
                log.warning("%s; the line goes on without it", self.error)
            self.failing = True
        else:
            if self.failing:
                log.info("live view: works again")
            self.failing = False

    def _publish(
        self, pixels: np.ndarray | None, overlays: Sequence[Overlay], status: Status
    ) -> None:
        write_status(self._folder, status)
        if pixels is None:
            return
        picture = annotate(pixels, overlays, self._max_width)
        done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise ValueError("the picture could not be encoded")
        _replace(self._folder / LIVE_NAME, jpeg.tobytes())

    def _write_stopped(self, last: Status | None) -> None:
        now = self._now()
        last = last or Status(updated_at=now, state=STOPPED)
        changes = {"updated_at": now, "fps": 0.0}
        write_status(self._folder, last.stopped().model_copy(update=changes))


def read_live(state_dir: Path) -> bytes | None:
    """Read the last picture as JPEG; None when there is none."""
    try:
        return (state_dir / LIVE_NAME).read_bytes() or None
    except OSError:
        return None
