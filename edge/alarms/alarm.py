"""The life of an alarm, after ISA-18.2 and EEMUA 191: raised late, latched, acknowledged.

Everything is a pure function of what was, what is seen, and the time. An alarm that was raised
stays until a person has acknowledged it and its cause is gone, in whichever order.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from edge.alarms.catalog import CATALOG, AlarmName, Priority
from edge.alarms.reference import PictureReference

FLOOD_S = 600.0
MOST_RAISED, MOST_NOT_URGENT = 10, 6
"""At most so many alarms are raised within `FLOOD_S`, and so many that are not urgent."""
REPEAT_S, MOST_OFF_DELAY_S = 3600.0, 3600.0
"""An alarm that is raised again within this time gets twice the off-delay each time, up to the
second, s: what chatters becomes one standing alarm."""
LONGEST_SHELF_S = 8 * 3600.0
"""The longest time that an alarm is out of service, s: one shift."""
MOST_EVENTS, MOST_DETAIL, LONGEST_USER = 200, 200, 64
MOST_RAISES = MOST_RAISED * len(CATALOG)
LONGEST_ITEM, MOST_EXAMPLES = 300, 6
ItemName = Annotated[str, Field(min_length=1, max_length=LONGEST_ITEM)]
Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]


class Signal(str, Enum):
    """What is seen of the cause of an alarm. Between its two thresholds nothing changes."""

    PRESENT = "present"
    BETWEEN = "between"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Evidence(NamedTuple):
    """When a change began, and the items whose pictures show it best; None: not known."""

    began_at: float | None = None
    examples: tuple[str, ...] = ()


class Reading(NamedTuple):
    """What is seen of a cause, the figures that it was judged by, and what shows it."""

    signal: Signal
    detail: str = ""
    evidence: Evidence = Evidence()


class AlarmState(str, Enum):
    """How an alarm stands. The value is what the metrics hold."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    HELD = "held"


class Happening(str, Enum):
    """What happened to an alarm."""

    RAISED = "raised"
    GONE = "gone"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AlarmEvent(_Kept):
    """One line of the journal: what happened to an alarm, when, and by whom; empty: by itself."""

    at: Moment
    name: AlarmName
    what: Happening
    by: str = Field(default="", max_length=LONGEST_USER)
    detail: str = Field(default="", max_length=MOST_DETAIL)


class Alarm(_Kept):
    """How one alarm stands.

    Attributes:
        active: its cause is there, by the delays.
        latched: it was raised, and is neither acknowledged nor gone.
        suppressed: its cause is seen, but follows from that of another alarm.
        since: since when the cause is seen, or not seen, against `active`; None: it is not.
        gone_at: when it was last active.
        raised_at: when it was last raised.
        acknowledged_at, acknowledged_by: of that; None and empty: nobody has.
        shelved_until: it is out of service until then; None: it is not.
        shelved_by: who did that.
        detail: the figures that it was raised by.
        began_at: when the change began; None: it does not say.
        examples: names of items whose pictures show it best, the best first.
    """

    active: bool = False
    latched: bool = False
    suppressed: bool = False
    since: Moment | None = None
    gone_at: Moment | None = None
    raised_at: Moment | None = None
    acknowledged_at: Moment | None = None
    acknowledged_by: str = Field(default="", max_length=LONGEST_USER)
    shelved_until: Moment | None = None
    shelved_by: str = Field(default="", max_length=LONGEST_USER)
    detail: str = Field(default="", max_length=MOST_DETAIL)
    began_at: Moment | None = None
    examples: tuple[ItemName, ...] = Field(default=(), max_length=MOST_EXAMPLES)

    @property
    def state(self) -> AlarmState:
        """In one word."""
        if self.shelved_until is not None:
            return AlarmState.SHELVED
        if self.latched:
            if self.acknowledged_at is not None:
                return AlarmState.ACKNOWLEDGED
            return AlarmState.UNACKNOWLEDGED if self.active else AlarmState.RETURNED
        if self.active:
            return AlarmState.HELD
        return AlarmState.SUPPRESSED if self.suppressed else AlarmState.NORMAL

    @property
    def needs_acknowledgment(self) -> bool:
        """Whether a person has to acknowledge it."""
        return self.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)


class Raise(_Kept):
    """When an alarm was raised."""

    at: Moment
    name: AlarmName


class Alarms(_Kept):
    """All alarms of a line, as the file holds them.

    Attributes:
        at: when they were last looked at, Unix seconds.
        alarms: how each stands; what is missing is normal.
        raises: the last times that an alarm was raised, the oldest first.
        events: the journal, the oldest first.
        reference: how the empty belt looked when all was well; None: not known yet.
    """

    at: Moment = 0.0
    alarms: dict[AlarmName, Alarm] = {}
    raises: tuple[Raise, ...] = Field(default=(), max_length=MOST_RAISES)
    events: tuple[AlarmEvent, ...] = Field(default=(), max_length=MOST_EVENTS)
    reference: PictureReference | None = None

    def of(self, name: AlarmName) -> Alarm:
        """How an alarm stands."""
        return self.alarms.get(name, Alarm())

    @property
    def unacknowledged(self) -> list[AlarmName]:
        """The alarms that a person has to acknowledge."""
        return [name for name in CATALOG if self.of(name).needs_acknowledgment]

    def noted(self, *events: AlarmEvent) -> "Alarms":
        """The same with more in the journal."""
        if not events:
            return self
        kept = (*self.events, *events)[-MOST_EVENTS:]
        return self.model_copy(update={"events": kept})

    def having(self, name: AlarmName, alarm: Alarm) -> "Alarms":
        """The same with another standing of one alarm."""
        return self.model_copy(update={"alarms": {**self.alarms, name: alarm}})


def advance(before: Alarms, readings: Mapping[AlarmName, Reading], now: float) -> Alarms:
    """Return how the alarms stand now.

    Args:
        before: how they stood.
        readings: what is seen of each cause; what is missing is unknown.
        now: Unix seconds. If the clock was set back, what lay ahead counts as of now.
    """
    before = _not_ahead(before, now)
    alarms: dict[AlarmName, Alarm] = {}
    events: list[AlarmEvent] = []
    for name in CATALOG:
        reading = readings.get(name, Reading(Signal.UNKNOWN))
        alarm = _unshelved(before.of(name), name, now, events)
        follows = _follows(name, alarms, now)
        off_delay_s = _off_delay_s(before, name, now)
        delay_s = off_delay_s if alarm.active else CATALOG[name].on_delay_s
        alarm = _debounced(alarm, reading, delay_s=delay_s, follows=follows, now=now)
        if before.of(name).active and not alarm.active:
            events.append(AlarmEvent(at=now, name=name, what=Happening.GONE))
        alarms[name] = alarm
    raises = tuple(each for each in before.raises if now - each.at <= REPEAT_S)
    raised: list[Raise] = []
    for name in _in_order(alarms):
        if not _has_room([*raises, *raised], CATALOG[name].priority, now):
            continue  # it is shown as held, and raised once there is room
        alarm = alarms[name]
        alarms[name] = alarm.model_copy(
            update={
                "latched": True,
                "raised_at": now,
                "acknowledged_at": None,
                "acknowledged_by": "",
            }
        )
        raised.append(Raise(at=now, name=name))
        events.append(AlarmEvent(at=now, name=name, what=Happening.RAISED, detail=alarm.detail))
    changes = {
        "at": now,
        "alarms": {name: alarm for name, alarm in alarms.items() if alarm != Alarm()},
        "raises": (*raises, *raised)[-MOST_RAISES:],
    }
    return before.model_copy(update=changes).noted(*events)


def acknowledge(before: Alarms, names: Iterable[AlarmName], by: str, now: float) -> Alarms:
    """Acknowledge alarms; those that need it not stay as they are."""
    after = before
    for name in names:
        alarm = after.of(name)
        if not alarm.needs_acknowledgment:
            continue
        changes = {"acknowledged_at": now, "acknowledged_by": by[:LONGEST_USER]}
        alarm = alarm.model_copy(update={**changes, "latched": alarm.active})
        event = AlarmEvent(at=now, name=name, what=Happening.ACKNOWLEDGED, by=by[:LONGEST_USER])
        after = after.having(name, alarm).noted(event)
    return after


def shelve(before: Alarms, name: AlarmName, seconds: float, by: str, now: float) -> Alarms:
    """Put an alarm out of service for a time, which acknowledges it.

    Raises:
        ValueError: it may not be shelved, or not for so long.
    """
    if not CATALOG[name].can_be_shelved:
        raise ValueError("an urgent alarm cannot be shelved")
    if not 0 < seconds <= LONGEST_SHELF_S:
        raise ValueError("an alarm is shelved for one shift at most")
    after = acknowledge(before, [name], by, now)
    changes = {"shelved_until": now + seconds, "shelved_by": by[:LONGEST_USER]}
    event = AlarmEvent(at=now, name=name, what=Happening.SHELVED, by=by[:LONGEST_USER])
    return after.having(name, after.of(name).model_copy(update=changes)).noted(event)


def unshelve(before: Alarms, name: AlarmName, by: str, now: float) -> Alarms:
    """Put an alarm into service again; if its cause is there, it is raised at the next look."""
    if before.of(name).shelved_until is None:
        return before
    events: list[AlarmEvent] = []
    alarm = _unshelved(before.of(name), name, now, events, by=by, early=True)
    return before.having(name, alarm).noted(*events)


def _unshelved(
    alarm: Alarm,
    name: AlarmName,
    now: float,
    events: list[AlarmEvent],
    *,
    by: str = "",
    early: bool = False,
) -> Alarm:
    """Put an alarm back whose time is over; it is raised anew if its cause is still there."""
    if alarm.shelved_until is None or (now < alarm.shelved_until and not early):
        return alarm
    events.append(AlarmEvent(at=now, name=name, what=Happening.UNSHELVED, by=by[:LONGEST_USER]))
    return alarm.model_copy(update={"shelved_until": None, "shelved_by": "", "latched": False})


def _follows(name: AlarmName, alarms: Mapping[AlarmName, Alarm], now: float) -> bool:
    """Whether an alarm follows from one that is active, or was a short time ago."""
    for cause, after_s in CATALOG[name].follows_from.items():
        other = alarms[cause]
        if other.active or (other.gone_at is not None and now - other.gone_at < after_s):
            return True
    return False


def _off_delay_s(before: Alarms, name: AlarmName, now: float) -> float:
    """The off-delay of an alarm, longer the more often it was raised within the hour."""
    times = sum(each.name is name and now - each.at <= REPEAT_S for each in before.raises)
    return min(CATALOG[name].off_delay_s * 2 ** max(0, times - 1), MOST_OFF_DELAY_S)


def _debounced(
    alarm: Alarm, reading: Reading, *, delay_s: float, follows: bool, now: float
) -> Alarm:
    """Let the delays pass that lie between the cause and the alarm."""
    present, absent = reading.signal is Signal.PRESENT, reading.signal is Signal.ABSENT
    changes: dict[str, object] = {"suppressed": follows and present and not alarm.active}
    against = absent if alarm.active else present and not follows
    since = (now if alarm.since is None else alarm.since) if against else None
    if since is not None and now - since >= delay_s:
        since = None
        if alarm.active:
            gone = {"active": False, "gone_at": now}
            changes |= {**gone, "latched": alarm.latched and alarm.acknowledged_at is None}
        else:
            changes |= {"active": True, "detail": reading.detail[:MOST_DETAIL]}
            examples = [name for name in reading.evidence.examples if 0 < len(name) <= LONGEST_ITEM]
            changes |= {
                "began_at": reading.evidence.began_at,
                "examples": tuple(examples[:MOST_EXAMPLES]),
            }
    return alarm.model_copy(update={**changes, "since": since})


def _in_order(alarms: Mapping[AlarmName, Alarm]) -> list[AlarmName]:
    """The alarms that are to be raised, the most urgent first."""
    due = [name for name in CATALOG if alarms[name].state is AlarmState.HELD]
    return sorted(due, key=lambda name: list(Priority).index(CATALOG[name].priority))


def _has_room(raises: Iterable[Raise], priority: Priority, now: float) -> bool:
    """Whether one more alarm may be raised now; the last places are for urgent ones."""
    lately = [each for each in raises if now - each.at < FLOOD_S]
    if priority is not Priority.HIGH:
        others = [each for each in lately if CATALOG[each.name].priority is not Priority.HIGH]
        return len(others) < MOST_NOT_URGENT and len(lately) < MOST_RAISED
    return len(lately) < MOST_RAISED


def _not_ahead(alarms: Alarms, now: float) -> Alarms:
    """The same after the clock was set back: what lies ahead is taken as of now."""
    if alarms.at <= now:
        return alarms

    def clipped(at: float | None) -> float | None:
        return None if at is None else min(at, now)

    def set_back(alarm: Alarm) -> Alarm:
        times = {name: clipped(getattr(alarm, name)) for name in ("since", "gone_at", "raised_at")}
        if alarm.shelved_until is not None:
            times["shelved_until"] = min(alarm.shelved_until, now + LONGEST_SHELF_S)
        return alarm.model_copy(update=times)

    changes = {
        "alarms": {name: set_back(alarm) for name, alarm in alarms.alarms.items()},
        "raises": tuple(Raise(at=min(each.at, now), name=each.name) for each in alarms.raises),
    }
    return alarms.model_copy(update=changes)
