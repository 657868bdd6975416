"""What the operator asks of the line: to sort, to pause, or to send everything to manual.

One small file in the state folder holds it. The page or `ewaste-edge mode` writes it; the line
reads it and names it in its status. Neither waits for the other: the page may die at any moment,
and what was asked last still holds, after a restart of the line too.
"""

import logging
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import BadInput
from edge.files import PRIVATE, read_bounded, write_whole
from edge.verdict import Reason, Unsafe
from edge.worker import Worker

log = logging.getLogger(__name__)

ORDER_NAME = "order.json"
MOST_BYTES = 4096
LONGEST_NAME = 64
LATEST = 1e11  # in the year 5138; of a greater one the system makes no date
POLL_SECONDS = 0.05


class Mode(str, Enum):
    """How the line works. The value is what files, the page, and the command line hold."""

    SORT = "sort"
    PAUSE = "pause"
    MANUAL = "manual"


HELD = {
    Mode.PAUSE: Unsafe(Reason.PAUSED, "sorting is paused"),
    Mode.MANUAL: Unsafe(Reason.ALL_MANUAL, "everything is sent to manual"),
}
"""Why no item is sorted in a mode; a mode that sorts is missing."""


class Order(BaseModel):
    """What was asked of the line.

    Attributes:
        mode: how it is to work.
        by: who asked; empty: nobody did.
        at: when, unix seconds.
    """

    model_config = ConfigDict(frozen=True)

    mode: Mode = Mode.SORT
    by: str = Field(default="", max_length=LONGEST_NAME)
    at: float = Field(default=0.0, ge=0, le=LATEST, allow_inf_nan=False)


def write_order(state: Path, order: Order) -> None:
    """Replace what is asked of the line with this state folder.

    Raises:
        BadInput: there is no such folder, or it cannot be written; what was asked before holds.
    """
    content = order.model_dump_json().encode() + b"\n"
    try:
        write_whole(state / ORDER_NAME, content, mode=PRIVATE)
    except FileNotFoundError:
        raise BadInput(f"{state}: no state folder of a line") from None
    except OSError as error:
        raise BadInput(f"{state / ORDER_NAME}: cannot be written ({error.strerror})") from None


def read_order(state: Path) -> Order:
    """Read what is asked of the line: to sort, where nobody has asked for anything.

    Raises:
        BadInput: the file is damaged or cannot be read.
    """
    path = state / ORDER_NAME
    try:
        return Order.model_validate_json(read_bounded(path, MOST_BYTES))
    except FileNotFoundError:
        return Order()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not an order"
        if isinstance(error, BadInput):
            reason = str(error)
        raise BadInput(f"{path}: {reason}; set it anew: ewaste-edge mode") from None


class OrderWatch(Worker):
    """Reads what is asked of the line beside it, so that no slow disk holds it up.

    Attributes:
        order: what was asked last. An order that cannot be read changes nothing, except at the
            start: then everything goes to manual, since nobody knows what was asked.
        error: why the file cannot be read; None: it can.
    """

    def __init__(self, state: Path) -> None:
        """Read the order of `state`, and then again and again."""
        super().__init__("order")
        self._state = state
        self.error: str | None = None
        self.order = Order(mode=Mode.MANUAL, by="the line")
        self._read()
        self._start()

    @property
    def mode(self) -> Mode:
        """How the line is to work; returns at once."""
        return self.order.mode

    def close(self, timeout: float = 1.0) -> None:
        """Stop reading; may be called twice."""
        self._finish(timeout)

    def _run(self) -> None:
        while not self._closing.wait(POLL_SECONDS):
            self._read()

    def _read(self) -> None:
        try:
            self.order, error = read_order(self._state), None
        except Exception as failure:  # no exception may end the thread
            error = str(failure)
            if error != self.error:
                log.warning("%s; the line goes on as before", error)
        self.error = error
