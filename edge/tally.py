"""What the loop over a belt hands on: each step, and the counts since the start."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from edge.belt.detector import Detection
from edge.belt.tracker import TrackedItem
from edge.cameras.camera import Frame
from edge.encoders.encoder import HEALTHY, EncoderHealth
from edge.inference.dispatcher import ModelAnswer
from edge.records.record import ItemRecord
from edge.verdict import Verdict

STAGES = ("detect", "classify", "verdict")
LATENCIES_KEPT = 1000


@dataclass(frozen=True)
class LineStep:
    """What one frame, or the lack of one, brought: for the page and the tests.

    Attributes:
        frame: the frame; None while the camera is at fault.
        encoder_mm: where the belt was.
        seen: the items of the last detection pass with what was detected of each, and the verdict,
            if there is one.
        records: the verdicts that fell.
        fault: what is wrong with the camera; None when nothing is.
        belt: what is known of the encoder's positions.
        moved_px: how far the belt has brought since what was seen, columns to the right.
    """

    frame: Frame | None
    encoder_mm: float
    seen: tuple[tuple[TrackedItem, Detection, Verdict | None], ...]
    records: tuple[ItemRecord, ...]
    fault: str | None = None
    belt: EncoderHealth = HEALTHY
    moved_px: int = 0


@dataclass
class Tally:
    """Counts since the start, and the latest latencies by stage in ms.

    `recalled` are items in view at the start that the run before had counted; `recorded` is false
    when the disk took no record from the start on, which was reported then; `next_frame` is the
    number of the frame to come.
    """

    items: int = 0
    late: int = 0
    recalled: int = 0
    frames: int = 0
    frames_dropped: int = 0
    next_frame: int = 0
    camera_faults: int = 0
    encoder_faults: int = 0
    model_faults: int = 0
    records_lost: int = 0
    recorded: bool = True
    per_label: Counter[str] = field(default_factory=Counter)
    per_bin: Counter[str] = field(default_factory=Counter)
    latencies: dict[str, deque[float]] = field(
        default_factory=lambda: {stage: deque(maxlen=LATENCIES_KEPT) for stage in STAGES}
    )

    def count_frame(self, sequence: int) -> None:
        """Count frame number `sequence`, and those before it that never came."""
        self.frames += 1
        self.count_passed(sequence)
        self.next_frame = sequence + 1

    def count_passed(self, sequence: int) -> None:
        """Count the frames before number `sequence` that never came."""
        self.frames_dropped += max(0, sequence - self.next_frame)
        self.next_frame = max(self.next_frame, sequence)

    def count_answers(self, answers: Iterable[ModelAnswer]) -> None:
        """Note what the model's predictions took."""
        self.latencies["classify"].extend(
            answer.took_ms for answer in answers if answer.prediction is not None
        )

    def reroute(self, from_bin: str, to_bin: str) -> None:
        """Count an item that was counted for one bin for another one."""
        self.per_bin[from_bin] -= 1
        self.per_bin[to_bin] += 1

    def count(self, record: ItemRecord) -> None:
        """Count an item."""
        self.items += 1
        self.late += record.late
        self.per_label[record.label] += 1
        self.per_bin[record.bin] += 1
        self.latencies["verdict"].append(record.verdict_ms)
