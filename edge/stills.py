"""One whole picture of a running line, on request: to measure by, not to look at.

The live picture is reduced and drawn on. Whoever needs a frame as the camera took it leaves a
request in the state folder; the line answers with the frame, when it was taken, and where the belt
was. Neither waits for the other.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.cameras.camera import Frame
from edge.errors import BadInput
from edge.files import PRIVATE, read_bounded, write_whole
from edge.worker import Worker

log = logging.getLogger(__name__)

REQUEST_NAME, STILL_NAME = "still-request.json", "still.png"
MOST_REQUEST_BYTES = 400
MOST_STILL_BYTES = 64 * 2**20
POLL_SECONDS = 0.1
LONGEST_SIDE_PX = 10_000
PNG_COMPRESSION = 1
HEAD_END = b"\n"
MOST_HEAD_BYTES = 1000

RequestNumber = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class StillRequest(BaseModel):
    """What asks for a picture: a number that the answer repeats."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: RequestNumber


class StillHead(BaseModel):
    """What stands before the picture in the file of the answer, one line of JSON.

    Attributes:
        number: of the request.
        captured_at: seconds of the line's clock.
        encoder_mm: where the belt was, mm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: RequestNumber
    captured_at: Annotated[float, Field(allow_inf_nan=False)]
    encoder_mm: Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Still:
    """A whole frame.

    Attributes:
        pixels: uint8 RGB [height, width, 3].
        captured_at: seconds of the line's clock.
        encoder_mm: where the belt was, mm.
    """

    pixels: np.ndarray
    captured_at: float
    encoder_mm: float


class StillTaker(Worker):
    """Answers requests for whole pictures beside the line; what fails is logged and given up."""

    def __init__(self, state: Path) -> None:
        """Start to look for requests in the state folder."""
        super().__init__("stills")
        self._state = state
        self._asked: StillRequest | None = None
        self._taken: tuple[StillRequest, Frame, float] | None = None
        self._start()

    def offer(self, frame: Frame, encoder_mm: float) -> None:
        """Offer a frame, into which nobody may write any more; returns at once."""
        asked = self._asked
        if asked is not None:
            self._asked, self._taken = None, (asked, frame, encoder_mm)
            self.wake()

    def close(self, timeout: float = 1.0) -> None:
        """Stop; may be called twice."""
        self._finish(timeout)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._awake.wait(POLL_SECONDS)
            self._awake.clear()
            try:
                self._step()
            except Exception as error:  # no exception may end the thread
                log.warning("no picture to measure by: %s", " ".join(str(error).split()))

    def _step(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            write_still(self._state, *taken)
            return
        path = self._state / REQUEST_NAME
        try:
            content = read_bounded(path, MOST_REQUEST_BYTES)
        except FileNotFoundError:
            return
        path.unlink()
        self._asked = StillRequest.model_validate_json(content)


def write_still(state: Path, asked: StillRequest, frame: Frame, encoder_mm: float) -> None:
    """Answer a request.

    Raises:
        OSError: it cannot be written.
        ValueError: the frame cannot be encoded.
    """
    head = StillHead(
        number=asked.number, captured_at=frame.captured_at, encoder_mm=float(encoder_mm)
    )
    bgr = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)
    done, png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
    if not done:
        raise ValueError("the picture could not be encoded")
    content = head.model_dump_json().encode() + HEAD_END + png.tobytes()
    write_whole(state / STILL_NAME, content, mode=PRIVATE, durable=False)


def ask_for_still(
    state: Path, seconds: float, sleep: Callable[[float], object] = time.sleep
) -> Still:
    """Ask the line with this state folder for a picture, and wait for it.

    Args:
        state: the state folder.
        seconds: how long to wait.
        sleep: waits for seconds.

    Raises:
        BadInput: it cannot be asked, does not answer in time, or answers with no picture.
    """
    number = secrets.token_hex(8)
    content = StillRequest(number=number).model_dump_json().encode()
    try:
        write_whole(state / REQUEST_NAME, content, mode=PRIVATE, durable=False)
    except OSError as error:
        raise BadInput(f"{state}: cannot be written ({error.strerror})") from None
    for _ in range(max(1, round(seconds / POLL_SECONDS))):
        sleep(POLL_SECONDS)
        found = read_still(state, number)
        if found is not None:
            return found
    raise BadInput("the line gives no picture; see that it runs and its camera works")


def read_still(state: Path, number: str) -> Still | None:
    """The answer to a request; None: there is none yet.

    Raises:
        BadInput: it is no picture.
    """
    path = state / STILL_NAME
    try:
        content = read_bounded(path, MOST_STILL_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    head, _, _rest = content[:MOST_HEAD_BYTES].partition(HEAD_END)
    try:
        answer = StillHead.model_validate_json(head)
    except ValidationError:
        return None
    if answer.number != number:
        return None
    bgr = cv2.imdecode(np.frombuffer(content[len(head) + 1 :], np.uint8), cv2.IMREAD_COLOR)
    if bgr is None or max(bgr.shape) > LONGEST_SIDE_PX:
        raise BadInput(f"{path}: no picture")
    return Still(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), answer.captured_at, answer.encoder_mm)
