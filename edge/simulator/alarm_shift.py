"""A shift of a line in simulated time, with faults, to judge its alarms by.

It goes from what the line and the records would tell to the alarms, every 5 s, in a second or so.
Pictures are not drawn: how the belt looks is a figure with noise and slow drift.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from edge.alarms.alarm import FLOOD_S, Alarms, Happening, Signal, acknowledge, advance
from edge.alarms.catalog import WINDOW_S, AlarmName
from edge.alarms.drift import ItemCounts, total
from edge.alarms.reference import SAMPLES_JUDGED, SAMPLES_NEEDED, PictureReference, typical
from edge.alarms.signals import AlarmLimits, BinPurity, Facts, read_signals
from edge.board import BoardHealth
from edge.status import NO_PICTURE, NO_POSITION, RUNNING, BeltLook, OutputHealth, Status

START = 1_800_000_000.0
STEP_S, MINUTE_S, HOUR_S = 5.0, 60.0, 3600.0
WINDOW_MINUTES = int(WINDOW_S / MINUTE_S)
CAMERA, OUTPUT = "simulated", "PLC"
CLASSES = ("Battery", "Keyboard", "Microwave", "Mobile", "Mouse", "PCB", "Player", "Printer")
MIX = (0.08, 0.14, 0.05, 0.25, 0.18, 0.15, 0.1, 0.05)
OTHER_MIX = (0.08, 0.04, 0.25, 0.1, 0.05, 0.15, 0.03, 0.3)
"""The shares of the classes, and those after another delivery."""
UNLIKE, MANUAL = 0.03, 0.12
ITEMS_A_MINUTE = 10.0
CONCENTRATION = 300.0
"""Of the Dirichlet distribution that the mix of an hour is drawn from: hours differ."""
PAST_HOURS = 24
SLOWEST_PERSON_S, FASTEST_PERSON_S = 300.0, 30.0
CHATTER_S = 20.0


class Cause(str, Enum):
    """What goes wrong."""

    LIGHT = "light step"
    LENS = "lens soiled"
    CAMERA = "camera cut"
    CAMERA_CHATTERS = "camera comes and goes"
    ENCODER = "encoder cut"
    OUTPUT = "output cut"
    OUTPUT_CHATTERS = "output comes and goes"
    KILLED = "line killed"
    RECORDS = "records lost"
    DISK = "disk fills"
    HEAT = "board hot"
    UNLIKE = "burst of unknown material"
    DOUBT = "model doubts"
    MIX = "other delivery"
    AUDIT = "audit fails"


RAISES = {
    Cause.LIGHT: (AlarmName.LIGHT_CHANGED, 300.0),
    Cause.LENS: (AlarmName.DIRTY_LENS, 900.0),
    Cause.CAMERA: (AlarmName.NO_PICTURE, 20.0),
    Cause.CAMERA_CHATTERS: (AlarmName.NO_PICTURE, 60.0),
    Cause.ENCODER: (AlarmName.BELT_NOT_MEASURED, 20.0),
    Cause.OUTPUT: (AlarmName.OUTPUT_LOST, 30.0),
    Cause.OUTPUT_CHATTERS: (AlarmName.OUTPUT_LOST, 60.0),
    Cause.KILLED: (AlarmName.LINE_SILENT, 30.0),
    Cause.RECORDS: (AlarmName.RECORDS_LOST, 10.0),
    Cause.DISK: (AlarmName.DISK_NEARLY_FULL, 330.0),
    Cause.HEAT: (AlarmName.BOARD_HOT, 90.0),
    Cause.UNLIKE: (AlarmName.UNLIKE_KNOWN, 1500.0),
    Cause.DOUBT: (AlarmName.MANY_MANUAL, 2400.0),
    Cause.MIX: (AlarmName.CLASS_MIX, 3000.0),
    Cause.AUDIT: (AlarmName.BIN_IMPURE, 10.0),
}
"""Cause -> the alarm that it must raise, and within which time, s."""


@dataclass(frozen=True)
class Injected:
    """A fault: what goes wrong, from when, and for how long, s since the start of the shift."""

    cause: Cause
    begins_s: float
    lasts_s: float

    def holds(self, at_s: float) -> bool:
        """Whether it is there."""
        return self.begins_s <= at_s < self.begins_s + self.lasts_s


FAULTY = tuple(
    Injected(cause, 60.0 * minute, 60.0 * minutes)
    for cause, minute, minutes in (
        (Cause.CAMERA, 15, 2),
        (Cause.LIGHT, 30, 25),
        (Cause.LENS, 90, 40),
        (Cause.UNLIKE, 175, 40),
        (Cause.OUTPUT, 200, 5),
        (Cause.OUTPUT_CHATTERS, 230, 30),
        (Cause.ENCODER, 270, 3),
        (Cause.MIX, 285, 70),
        (Cause.HEAT, 290, 20),
        (Cause.AUDIT, 330, 60),
        (Cause.DISK, 340, 40),
        (Cause.RECORDS, 375, 2),
        (Cause.CAMERA_CHATTERS, 400, 15),
        (Cause.KILLED, 420, 2),
        (Cause.DOUBT, 430, 50),
    )
)
"""A shift in which everything goes wrong once."""


@dataclass(frozen=True)
class ShiftAlarms:
    """What a shift came to.

    Attributes:
        raised: the alarms that were raised: when, s since its start, and which.
        causes: changes of a cause from absent to present, which would have been as many alarms
            without delays.
        hours: how long it was.
    """

    raised: tuple[tuple[float, AlarmName], ...]
    causes: int
    hours: float

    @property
    def per_10_minutes(self) -> float:
        """The mean number of alarms in ten minutes."""
        return len(self.raised) / (6 * self.hours)

    @property
    def most_in_10_minutes(self) -> int:
        """The largest number of alarms in any ten minutes."""
        times = [at for at, _ in self.raised]
        return max((sum(at <= each < at + FLOOD_S for each in times) for at in times), default=0)

    def delay_s(self, fault: Injected) -> float | None:
        """How long after a fault its alarm was raised; None: it was not while it lasted."""
        name = RAISES[fault.cause][0]
        end_s = fault.begins_s + fault.lasts_s + RAISES[fault.cause][1]
        found = [at for at, which in self.raised if which is name and fault.begins_s <= at < end_s]
        return found[0] - fault.begins_s if found else None


@dataclass
class _Line:
    """The line, as far as alarms see it."""

    chance: np.random.Generator
    faults: Sequence[Injected]
    past: list[ItemCounts] = field(default_factory=list)
    minutes: deque[ItemCounts] = field(
        default_factory=lambda: deque(maxlen=int(WINDOW_S / MINUTE_S))
    )
    looks: deque[BeltLook] = field(default_factory=lambda: deque(maxlen=SAMPLES_JUDGED))
    lost_at: float | None = None
    updated_at: float = START
    mix: np.ndarray = field(default_factory=lambda: np.asarray(MIX))

    def has(self, cause: Cause, at_s: float) -> bool:
        """Whether a fault is there."""
        return any(each.cause is cause and each.holds(at_s) for each in self.faults)

    def since(self, cause: Cause, at_s: float) -> float:
        return next(
            (
                at_s - each.begins_s
                for each in self.faults
                if each.cause is cause and each.holds(at_s)
            ),
            0.0,
        )

    def items(self, at_s: float, minutes: float) -> ItemCounts:
        """The items of some minutes."""
        mix = np.asarray(OTHER_MIX) if self.has(Cause.MIX, at_s) else self.mix
        n = int(self.chance.poisson(ITEMS_A_MINUTE * minutes))
        unlike = 0.25 if self.has(Cause.UNLIKE, at_s) else UNLIKE
        # What is seen in other light or through dirt is like nothing known, too.
        unlike = 0.4 if self.has(Cause.LIGHT, at_s) or self.has(Cause.LENS, at_s) else unlike
        doubt = 0.6 if self.has(Cause.DOUBT, at_s) else MANUAL - UNLIKE
        odd, doubted, _ = self.chance.multinomial(n, (unlike, doubt, 1 - unlike - doubt)).tolist()
        counted = self.chance.multinomial(n - odd, mix).tolist()
        labels = {name: count for name, count in zip(CLASSES, counted, strict=True) if count}
        return ItemCounts(labels, n, odd, odd + doubted)

    def look(self, at_s: float) -> BeltLook:
        """How the empty belt looks: noise, flicker, and the sun that wanders over a day."""
        level = 96 * (1 + 0.06 * math.sin(2 * math.pi * at_s / (10 * HOUR_S)))
        level *= 1 + self.chance.normal(0, 0.02)
        level *= 1.5 if self.has(Cause.LIGHT, at_s) else 1
        soiled = min(1.0, self.since(Cause.LENS, at_s) / (15 * MINUTE_S))
        contrast = 0.05 * (1 + self.chance.normal(0, 0.06)) * (1 - 0.6 * soiled)
        spots = max(0.0, 0.0005 + self.chance.normal(0, 0.0002) + 0.02 * soiled)
        red, green, blue = (level * share for share in (1.0, 1.02, 0.95))
        return BeltLook(red=red, green=green, blue=blue, contrast=max(0, contrast), spots=spots)

    def status(self, at_s: float) -> Status:
        """What the line tells."""
        on = int(at_s // CHATTER_S) % 2 == 1
        blind = self.has(Cause.CAMERA, at_s) or (self.has(Cause.CAMERA_CHATTERS, at_s) and not on)
        lost = self.has(Cause.OUTPUT, at_s) or (self.has(Cause.OUTPUT_CHATTERS, at_s) and not on)
        state = NO_POSITION if self.has(Cause.ENCODER, at_s) else RUNNING
        if not self.has(Cause.KILLED, at_s):
            self.updated_at = START + at_s
        return Status(
            updated_at=self.updated_at,
            state=NO_PICTURE if blind else state,
            camera=CAMERA,
            outputs=(OutputHealth(name=OUTPUT, connected=not lost),),
        )

    def facts(self, at_s: float, reference: PictureReference | None) -> Facts:
        """All that is known around the line."""
        status = self.status(at_s)
        running = status.state == RUNNING and not self.has(Cause.KILLED, at_s)
        if not running:
            self.looks.clear()
        else:
            self.looks.append(self.look(at_s))
        if at_s % MINUTE_S == 0 and running:
            self.minutes.append(self.items(at_s, 1))
        if at_s % HOUR_S == 0:
            self.mix = self.chance.dirichlet(CONCENTRATION * np.asarray(MIX))
        self.lost_at = START + at_s if self.has(Cause.RECORDS, at_s) else self.lost_at
        failed = self.has(Cause.AUDIT, at_s)
        return Facts(
            status=status,
            lost_at=self.lost_at,
            disk_free=0.03 if self.has(Cause.DISK, at_s) else 0.5,
            board=BoardHealth(84.0 if self.has(Cause.HEAT, at_s) else 62.0, False, False, False),
            look=typical(self.looks),
            reference=reference,
            purities=(BinPurity("small", 0.6, 0.8 if failed else 0.95),),
            lately=total(list(self.minutes)),
            hours=self.past,
        )


@dataclass
class _Person:
    """Who acknowledges each alarm some time after it was raised."""

    chance: np.random.Generator
    due: dict[AlarmName, float] = field(default_factory=dict)

    def see(self, name: AlarmName, at_s: float) -> None:
        """Take notice of an alarm."""
        self.due[name] = at_s + self.chance.uniform(FASTEST_PERSON_S, SLOWEST_PERSON_S)

    def acknowledge(self, alarms: Alarms, at_s: float) -> Alarms:
        """Acknowledge what it is time for."""
        names = [name for name, moment in self.due.items() if moment <= at_s]
        for name in names:
            del self.due[name]
        return acknowledge(alarms, names, "anna", START + at_s)


def _line_with_past(chance: np.random.Generator) -> tuple[_Line, Alarms]:
    """A line that has run for a day without faults, and knows how its belt looks."""
    line = _Line(chance, ())
    for _ in range(PAST_HOURS):
        line.mix = chance.dirichlet(CONCENTRATION * np.asarray(MIX))
        line.past.append(line.items(0.0, 60))
    line.minutes.extend(line.items(0.0, 1) for _ in range(WINDOW_MINUTES))
    learned = typical([line.look(0.0) for _ in range(SAMPLES_NEEDED)])
    assert learned is not None
    return line, Alarms(reference=PictureReference(camera=CAMERA, look=learned, taken_at=START))


def simulate_shift(
    faults: Sequence[Injected] = (), *, seed: int, hours: float = 8.0
) -> ShiftAlarms:
    """Run a shift; a person acknowledges each alarm within minutes.

    Args:
        faults: what goes wrong.
        seed: of everything that is left to chance.
        hours: its length.
    """
    chance = np.random.default_rng(seed)
    line, alarms = _line_with_past(chance)
    line.faults, person = faults, _Person(chance)
    raised: list[tuple[float, AlarmName]] = []
    seen: set[AlarmName] = set()
    causes = 0
    for step in range(int(hours * HOUR_S / STEP_S)):
        at_s, now = step * STEP_S, START + step * STEP_S
        readings = read_signals(line.facts(at_s, alarms.reference), AlarmLimits(), now)
        present = {name for name, found in readings.items() if found.signal is Signal.PRESENT}
        causes, seen = causes + len(present - seen), present
        before, alarms = alarms, advance(alarms, readings, now)
        if alarms.events is not before.events:
            for event in alarms.events:
                if event.at == now and event.what is Happening.RAISED:
                    raised.append((at_s, event.name))
                    person.see(event.name, at_s)
        alarms = person.acknowledge(alarms, at_s)
    return ShiftAlarms(tuple(raised), causes, hours)
