"""Every alarm of a line: how urgent it is, how long its cause must last, and what it follows from.

Few, as EEMUA 191 demands: each has a cause that a person can remove. What it means and what to do
is in `panel/templates/alarm_words.html`; docs/alarms.md has the causes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class AlarmName(str, Enum):
    """An alarm. The value is what the file of alarms, the page, and the metrics hold."""

    LINE_SILENT = "line_silent"
    NO_PICTURE = "no_picture"
    BELT_NOT_MEASURED = "belt_not_measured"
    OUTPUT_LOST = "output_lost"
    RECORDS_LOST = "records_lost"
    DISK_NEARLY_FULL = "disk_nearly_full"
    BOARD_HOT = "board_hot"
    LIGHT_CHANGED = "light_changed"
    DIRTY_LENS = "dirty_lens"
    BIN_IMPURE = "bin_impure"
    UNLIKE_KNOWN = "unlike_known"
    MANY_MANUAL = "many_manual"
    CLASS_MIX = "class_mix"
    SIZES_CHANGED = "sizes_changed"
    LOOKS_CHANGED = "looks_changed"


class Priority(str, Enum):
    """How soon a person has to act: at once, within the hour, or within the shift."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class AlarmKind:
    """What is fixed about an alarm.

    Attributes:
        priority: how soon a person has to act.
        on_delay_s: its cause must last so long before it is raised, s.
        off_delay_s: its cause must be gone so long before it counts as gone, s.
        follows_from: while one of these is active, it is not raised, for it says nothing new; nor
            for so long after that is gone, s.
    """

    priority: Priority
    on_delay_s: float
    off_delay_s: float
    follows_from: Mapping[AlarmName, float] = field(default_factory=dict)

    @property
    def can_be_shelved(self) -> bool:
        """Whether it may be put out of service; what stops the sorting may not."""
        return self.priority is not Priority.HIGH


WINDOW_S = 1800.0
"""The shares of the last items are counted over this time, s."""
_SILENT = {AlarmName.LINE_SILENT: 10.0}
_BLIND = {AlarmName.LINE_SILENT: 120.0, AlarmName.NO_PICTURE: 120.0}
_STOPS = {**_BLIND, AlarmName.BELT_NOT_MEASURED: 120.0}
_PICTURE = {AlarmName.LIGHT_CHANGED: WINDOW_S, AlarmName.DIRTY_LENS: WINDOW_S}
_UNLIKE = {AlarmName.LOOKS_CHANGED: WINDOW_S, AlarmName.UNLIKE_KNOWN: WINDOW_S}
_HIGH, _MEDIUM, _LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
CATALOG: Mapping[AlarmName, AlarmKind] = MappingProxyType(
    {
        AlarmName.LINE_SILENT: AlarmKind(_HIGH, 10, 10),
        AlarmName.NO_PICTURE: AlarmKind(_HIGH, 10, 30, _SILENT),
        AlarmName.BELT_NOT_MEASURED: AlarmKind(_HIGH, 10, 30, _BLIND),
        AlarmName.OUTPUT_LOST: AlarmKind(_HIGH, 15, 60, _SILENT),
        AlarmName.RECORDS_LOST: AlarmKind(_HIGH, 0, 60),
        AlarmName.DISK_NEARLY_FULL: AlarmKind(_MEDIUM, 300, 300),
        AlarmName.BOARD_HOT: AlarmKind(_MEDIUM, 60, 300),
        AlarmName.LIGHT_CHANGED: AlarmKind(_MEDIUM, 120, 300, _BLIND),
        AlarmName.DIRTY_LENS: AlarmKind(
            _MEDIUM, 180, 300, {**_BLIND, AlarmName.LIGHT_CHANGED: 120.0}
        ),
        AlarmName.BIN_IMPURE: AlarmKind(_MEDIUM, 0, 0),
        AlarmName.LOOKS_CHANGED: AlarmKind(_MEDIUM, 120, 900, {**_STOPS, **_PICTURE}),
        AlarmName.UNLIKE_KNOWN: AlarmKind(
            _MEDIUM, 180, 900, {**_STOPS, **_PICTURE, AlarmName.LOOKS_CHANGED: WINDOW_S}
        ),
        AlarmName.MANY_MANUAL: AlarmKind(_MEDIUM, 300, 900, {**_STOPS, **_PICTURE, **_UNLIKE}),
        AlarmName.SIZES_CHANGED: AlarmKind(_MEDIUM, 300, 900, {**_STOPS, **_PICTURE}),
        AlarmName.CLASS_MIX: AlarmKind(_LOW, 600, 1800, {**_STOPS, **_PICTURE}),
    }
)
"""All alarms; what others follow from stands before them."""
