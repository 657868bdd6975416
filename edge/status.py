"""How the line is doing: a status in one file, which the line replaces and its page reads."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edge.files import PRIVATE, make_private_folder, write_whole
from edge.operation import Order
from edge.standstill import BeltRest

STATUS_NAME = "status.json"
"""The file of the status in a line's state directory."""
RUNNING, STOPPED = "running", "stopped"
NO_PICTURE, NO_POSITION = "no picture", "belt not measured"
"""States that a line gives itself; in the last two all gates are closed."""
STALLED, NOT_STARTED = "stalled", "not started"
"""States that the page gives a line whose status is old or missing."""


STALE_SECONDS = 5.0
"""A status older than this means that the line hangs or died."""


class Percentiles(BaseModel):
    """Latency of one stage over the last items, in milliseconds."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    p50: float
    p99: float


Level = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class BeltLook(BaseModel):
    """How the empty belt looks, wherever no item hides it.

    Attributes:
        red, green, blue: mean levels, 0 to 255.
        contrast: how much the belt's texture varies, as a share of its level.
        spots: share of the view that looks different from what is around it and does not move on
            with the belt, 0 to 1: dirt on the lens, but also what is mounted in the view.
    """

    model_config = ConfigDict(frozen=True)

    red: Level
    green: Level
    blue: Level
    contrast: Level
    spots: Level


class OutputHealth(BaseModel):
    """How one output of the line is doing, see `edge.output_thread.OutputStatus`."""

    model_config = ConfigDict(frozen=True)

    name: str
    connected: bool
    sent: int = 0
    dropped: int = 0
    outages: int = 0


class Status(BaseModel):
    """How the line is doing.

    Attributes:
        updated_at: unix seconds.
        state: `RUNNING`, `STOPPED`, `NO_PICTURE`, or `NO_POSITION`; the page takes any other word.
        camera: which camera, in words.
        bundle: name of the bundle that decides.
        digest: its digest.
        bundle_created: when it was converted, unix seconds; None: not known.
        fps: frames per second.
        speed_mm_s: belt speed.
        belt_mm: belt position.
        items: items counted since the start, like all counts here.
        per_label: items per label, `unknown` among them.
        per_bin: items per bin.
        unknown: items without a label.
        late: items whose verdict came too late for their gate.
        dropped_frames: frames the camera or the loop had to skip.
        dropped_records: records lost because the disk could not follow.
        dropped_messages: gate openings and messages that an output could not take in time.
        latency: percentiles per stage.
        gates: per bin, whether its gate is open.
        frames: frames that were looked at.
        waiting_records: records that wait for the disk.
        memory_bytes: memory of the line's process; None: the system does not tell.
        encoder: what is wrong with the belt's position, also what is made good; empty: nothing.
        outputs: how each output is doing.
        faults_dropped: faults that the history could not take.
        look: how the empty belt looks; None: not measured yet.
        order: what the operator asked last, by which the line works.
        update_window: when the bundle may be exchanged while the belt moves, such as `22:00-05:00`
            or `always`; empty: only while it stands.
        belt: whether the belt stands.
        waiting: digest of a bundle that is ready and waits for that; empty: none is.
        learned: number of the generation of what was learned that decides with the bundle; 0: none.
        taught: the classes that it adds.
        message: what a person should know or do; None when all is well.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    updated_at: float
    state: str
    camera: str = ""
    bundle: str = ""
    digest: str = ""
    bundle_created: float | None = None
    fps: float = 0.0
    speed_mm_s: float = 0.0
    belt_mm: float = 0.0
    items: int = 0
    per_label: dict[str, int] = {}
    per_bin: dict[str, int] = {}
    unknown: int = 0
    late: int = 0
    dropped_frames: int = 0
    dropped_records: int = 0
    dropped_messages: int = 0
    latency: dict[str, Percentiles] = {}
    gates: dict[str, bool] = {}
    frames: int = 0
    waiting_records: int = 0
    memory_bytes: float | None = None
    encoder: str = ""
    outputs: tuple[OutputHealth, ...] = ()
    faults_dropped: int = 0
    look: BeltLook | None = None
    order: Order = Order()
    update_window: str = ""
    belt: BeltRest = BeltRest.NOT_MEASURED
    waiting: str = ""
    learned: int = 0
    taught: tuple[str, ...] = ()
    message: str | None = None

    @field_validator("camera", "message", "encoder", mode="before")
    @classmethod
    def _make_text(cls, value: object) -> object:
        """Replace the bytes of a file's name that are no text, which no JSON takes."""
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value

    def is_at_work(self, now: float) -> bool:
        """Whether the line is running; `now` is unix seconds."""
        return self.state != STOPPED and abs(now - self.updated_at) <= STALE_SECONDS

    def stopped(self) -> "Status":
        """Return this status as it is after the line has stopped, with all gates closed."""
        closed = dict.fromkeys(self.gates, False)
        return self.model_copy(update={"state": STOPPED, "gates": closed, "waiting": ""})


def bundle_at_work(status: Status | None, now: float) -> str:
    """Digest of the bundle by which a line decides now; empty: no line is at work."""
    return status.digest if status is not None and status.is_at_work(now) else ""


def bundle_waiting(status: Status | None, now: float) -> str:
    """Digest of the bundle that a line at work is ready to take; empty: none waits."""
    return status.waiting if status is not None and status.is_at_work(now) else ""


def write_status(state_dir: Path, status: Status) -> None:
    """Replace the status, making `state_dir` when it is missing; readers see the old or the new.

    It is not synced to the disk: after a restart it is worth nothing.

    Raises:
        OSError: it cannot be written.
    """
    path, content = state_dir / STATUS_NAME, status.model_dump_json().encode()
    try:
        write_whole(path, content, mode=PRIVATE, durable=False)
    except FileNotFoundError:
        make_private_folder(state_dir)
        write_whole(path, content, mode=PRIVATE, durable=False)


def read_status(state_dir: Path) -> Status | None:
    """Read the last status; None when there is none or the file is garbage."""
    try:
        return Status.model_validate_json((state_dir / STATUS_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
