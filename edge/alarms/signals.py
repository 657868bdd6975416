"""What is seen of the cause of each alarm: thresholds, each with a second one to clear it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.alarms.alarm import Evidence, Reading, Signal
from edge.alarms.catalog import AlarmName
from edge.alarms.drift import (
    CHANCE,
    KEPT_SHARE,
    LEAST_DIVERGENCE,
    LEAST_ITEMS,
    LEAST_REFERENCE,
    OF_NORMAL,
    ItemCounts,
    chance_of,
    divergence,
    is_higher,
    normal_divergence,
    total,
)
from edge.alarms.reference import (
    PictureReference,
    contrast_left,
    light_change,
    more_spots,
)
from edge.alarms.shifts import Judged, are_shifted, label_alone
from edge.board import BoardHealth
from edge.status import NO_PICTURE, NO_POSITION, STOPPED, BeltLook, Status

SILENT_S = 5.0
"""A status that is older means that the line hangs or was killed, s."""
LOST_LATELY_S = 900.0
"""Lost records are an alarm for so long after the last of them, s."""
DISK_AGAIN, COOL_AGAIN_C = 0.02, 5.0
"""The disk has room again, and the board is cool again, beyond their limits by so much."""
LIGHT, LIGHT_AGAIN = 1.25, 1.15
"""The factor from which the light has changed, and below which it is as before."""
CONTRAST, CONTRAST_AGAIN = 0.65, 0.8
"""The share of the belt's contrast below which the lens is dirty, and above which it is clean."""
SPOTS, SPOTS_AGAIN = 0.005, 0.0025
"""The same of the share of the view that is covered by spots."""
UNLIKE_EXPECTED = 0.05
"""The share of known items that a bundle is calibrated to take for unlike: 95 % are kept."""
UNLIKE_FACTOR, UNLIKE_MORE = 2.0, 0.05
MANUAL_FACTOR, MANUAL_MORE = 1.5, 0.15
"""A share is much higher than before if it is above so many times what it was, and above that plus
the second number."""
UNKNOWN = Reading(Signal.UNKNOWN)
ABSENT = Reading(Signal.ABSENT)


@dataclass(frozen=True)
class AlarmLimits:
    """What a line is configured to be alarmed by.

    Attributes:
        disk_free: share of the disk that must be free.
        temperature_c: of the board, degrees Celsius.
        purity: the least purity of a bin, 0 to 1.
        purities: bin -> its own least purity.
    """

    disk_free: float = 0.05
    temperature_c: float = 80.0
    purity: float = 0.9
    purities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BinPurity:
    """The 95 % interval of the purity of a bin, by its newest audit."""

    bin: str
    low: float
    high: float


@dataclass(frozen=True)
class Facts:
    """All that is known around a line at one moment. None: not known.

    Attributes:
        status: of the line.
        lost_at: when it last lost records, Unix seconds.
        disk_free: free share of the disk of the records.
        board: what the board tells.
        look: how the empty belt looks, smoothed.
        reference: how it looked when all was well.
        purities: of each audited bin.
        lately: the items of the last half hour.
        hours: those of each hour before, which they are compared with.
        sizes: how long the last items are, against those before.
        likeness: how much they are like the known classes, against those before.
        evidence: what shows the changes that are there.
    """

    status: Status | None = None
    lost_at: float | None = None
    disk_free: float | None = None
    board: BoardHealth = field(default_factory=BoardHealth)
    look: BeltLook | None = None
    reference: PictureReference | None = None
    purities: Sequence[BinPurity] | None = None
    lately: ItemCounts | None = None
    hours: Sequence[ItemCounts] = ()
    sizes: Judged | None = None
    likeness: Judged | None = None
    evidence: Mapping[AlarmName, Evidence] = field(default_factory=dict)


def read_signals(facts: Facts, limits: AlarmLimits, now: float) -> dict[AlarmName, Reading]:
    """Judge every cause; `now` is Unix seconds."""
    return {
        **_of_line(facts, now),
        **_of_picture(facts),
        **read_items(facts),
        AlarmName.DISK_NEARLY_FULL: _disk(facts.disk_free, limits.disk_free),
        AlarmName.BOARD_HOT: _board(facts.board, limits.temperature_c),
        AlarmName.BIN_IMPURE: _purity(facts.purities, limits),
    }


def is_silent(status: Status | None, now: float) -> bool:
    """Whether a line that has not ended in order says nothing; without a status, none ran."""
    running = status is not None and status.state != STOPPED
    return running and status is not None and abs(now - status.updated_at) > SILENT_S


def _of_line(facts: Facts, now: float) -> dict[AlarmName, Reading]:
    status, silent = facts.status, is_silent(facts.status, now)
    lost = facts.lost_at is not None and abs(now - facts.lost_at) < LOST_LATELY_S
    found = {
        AlarmName.LINE_SILENT: _when(silent),
        AlarmName.RECORDS_LOST: _when(lost),
    }
    if status is None or silent:
        return found
    stopped = status.state == STOPPED
    away = [] if stopped else [output.name for output in status.outputs if not output.connected]
    message = status.message or ""
    return {
        **found,
        AlarmName.NO_PICTURE: _when(status.state == NO_PICTURE, message),
        AlarmName.BELT_NOT_MEASURED: _when(status.state == NO_POSITION, status.encoder),
        AlarmName.OUTPUT_LOST: _when(bool(away), ", ".join(away)),
    }


def _of_picture(facts: Facts) -> dict[AlarmName, Reading]:
    if facts.look is None or facts.reference is None:
        return {}
    look, before = facts.look, facts.reference.look
    factor = light_change(look, before)
    level = (look.red + look.green + look.blue) / max(1.0, before.red + before.green + before.blue)
    left, spots = contrast_left(look, before), more_spots(look, before)
    dirty = spots >= SPOTS or (left is not None and left <= CONTRAST)
    clean = spots <= SPOTS_AGAIN and (left is None or left >= CONTRAST_AGAIN)
    shown = f"{spots:.1%}" if left is None else f"{left:.0%}, {spots:.1%}"
    return {
        AlarmName.LIGHT_CHANGED: _between(factor >= LIGHT, factor <= LIGHT_AGAIN, f"{level:.0%}"),
        AlarmName.DIRTY_LENS: _between(dirty, clean, shown),
    }


def read_items(facts: Facts) -> dict[AlarmName, Reading]:
    """Judge what the last items say."""
    some = facts.lately
    if some is None:
        return {}
    before = total(list(facts.hours))
    found = {
        AlarmName.CLASS_MIX: _mix(some, before, list(facts.hours)),
        AlarmName.UNLIKE_KNOWN: _unlike(some, before),
        AlarmName.MANY_MANUAL: _many_manual(some, before),
        AlarmName.SIZES_CHANGED: _sizes(facts.sizes),
        AlarmName.LOOKS_CHANGED: _looks(facts.likeness),
    }
    return {
        name: reading._replace(evidence=facts.evidence.get(name, Evidence()))
        for name, reading in found.items()
    }


def _sizes(judged: Judged | None) -> Reading:
    if judged is None:
        return UNKNOWN
    if label := label_alone(judged):
        return Reading(Signal.PRESENT, f"{label}: {math.expm1(judged.alone[label]):+.0%}")
    amount = judged.shift.amount
    kept = abs(amount) <= KEPT_SHARE * judged.least
    return _between(are_shifted(judged), kept, f"{math.expm1(amount):+.0%}")


def _looks(judged: Judged | None) -> Reading:
    if judged is None:
        return UNKNOWN
    shift = judged.shift
    shown = [f"{shift.effect:+.1f} SD"]
    if not shift.is_common and shift.most:
        shown.append(shift.most)
    drifted = shift.effect <= -judged.least and shift.chance < CHANCE
    return _between(drifted, shift.effect > -KEPT_SHARE * judged.least, ", ".join(shown))


def _mix(some: ItemCounts, before: ItemCounts, hours: list[ItemCounts]) -> Reading:
    n, m = sum(some.labels.values()), sum(before.labels.values())
    if n < LEAST_ITEMS or m < LEAST_REFERENCE:
        return UNKNOWN
    bits = divergence(some.labels, before.labels)
    least = max(LEAST_DIVERGENCE, OF_NORMAL * normal_divergence(hours))
    drifted = bits >= least and chance_of(some.labels, before.labels) < CHANCE
    shares = {
        label: some.labels.get(label, 0) / n - before.labels.get(label, 0) / m
        for label in {*some.labels, *before.labels}
    }
    furthest = max(sorted(shares), key=lambda label: abs(shares[label]))
    now, then = some.labels.get(furthest, 0) / n, before.labels.get(furthest, 0) / m
    return _between(drifted, bits <= KEPT_SHARE * least, f"{furthest}: {then:.0%} > {now:.0%}")


def _unlike(some: ItemCounts, before: ItemCounts) -> Reading:
    if some.decided < LEAST_ITEMS:
        return UNKNOWN
    usual = UNLIKE_EXPECTED
    compared = (0, 0)
    if before.decided >= LEAST_REFERENCE:
        compared = before.unlike_known, before.decided
        usual = before.unlike_known / before.decided
    found = some.unlike_known, some.decided
    against_past = _share(found, compared, usual, _unlike_limit(usual))
    promised = _share(found, (0, 0), UNLIKE_EXPECTED, _unlike_limit(UNLIKE_EXPECTED))
    # What a site has got used to may still be more than calibration promised.
    kinds = against_past.signal, promised.signal
    worst = next(
        (each for each in (Signal.PRESENT, Signal.BETWEEN) if each in kinds), ABSENT.signal
    )
    return Reading(worst, against_past.detail)


def _unlike_limit(usual: float) -> float:
    return max(UNLIKE_FACTOR * usual, usual + UNLIKE_MORE)


def _many_manual(some: ItemCounts, before: ItemCounts) -> Reading:
    if some.decided < LEAST_ITEMS or before.decided < LEAST_REFERENCE:
        return UNKNOWN
    usual = before.manual / before.decided
    limit = max(MANUAL_FACTOR * usual, usual + MANUAL_MORE)
    compared = before.manual, before.decided
    return _share((some.manual, some.decided), compared, usual, limit)


def _share(some: tuple[int, int], before: tuple[int, int], usual: float, limit: float) -> Reading:
    """Judge a share; it is as before again halfway between what it was and the limit."""
    share = some[0] / some[1]
    return _between(
        is_higher(some, before, limit), share <= (usual + limit) / 2, f"{usual:.1%} > {share:.1%}"
    )


def _disk(free: float | None, least: float) -> Reading:
    if free is None:
        return UNKNOWN
    return _between(free < least, free >= least + DISK_AGAIN, f"{free:.1%}")


def _board(board: BoardHealth, limit_c: float) -> Reading:
    """Judge what the board tells; a firmware that slows down knows it better than we do."""
    degrees = board.temperature_c
    if degrees is None and board.slowed is None:
        return UNKNOWN
    shown = "" if degrees is None else f"{degrees:.0f} °C"
    hot = bool(board.slowed or board.under_voltage) or (degrees is not None and degrees >= limit_c)
    cool = not hot and (degrees is None or degrees <= limit_c - COOL_AGAIN_C)
    return _between(hot, cool, shown)


def _purity(purities: Sequence[BinPurity] | None, limits: AlarmLimits) -> Reading:
    """Judge the newest audit of each bin: only an interval that lies under its target says so."""
    if purities is None:
        return UNKNOWN
    under = [each for each in purities if each.high < limits.purities.get(each.bin, limits.purity)]
    return _when(bool(under), ", ".join(f"{e.bin} {e.low:.0%}-{e.high:.0%}" for e in under))


def _when(present: bool, detail: str = "") -> Reading:
    return Reading(Signal.PRESENT, detail) if present else ABSENT


def _between(present: bool, absent: bool, detail: str) -> Reading:
    if present:
        return Reading(Signal.PRESENT, detail)
    return Reading(Signal.ABSENT if absent else Signal.BETWEEN, detail)
