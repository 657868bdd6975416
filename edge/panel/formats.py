"""Numbers, shares, dates, and times as the visitor's language writes them.

Moments are shown in the time zone of the line. English has dates as ISO 8601 has them, 2026-11-29,
for they are read all over the world; every language has 24 hours.
"""

import functools
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from edge.language import Language
from edge.panel.languages import _, spoken

NOTHING = "-"
"""What is shown of what is not known. Python rounds, the language writes."""
_ISO = {"yMd": "yyyy-MM-dd", "Md": "MM-dd", "Hms": "HH:mm:ss", "Hm": "HH:mm"}
_UNITS = ((86400, "duration-day"), (3600, "duration-hour"), (60, "duration-minute"))


@functools.cache
def _locale(language: Language) -> Any:
    from babel import Locale

    return Locale(language.value)


def count(number: float) -> str:
    """A whole number."""
    return decimal(number, 0)


def decimal(number: float, digits: int) -> str:
    """A number with so many digits after its point; a dash if it is none."""
    if not math.isfinite(number):
        return NOTHING
    locale = _locale(spoken())
    pattern = locale.decimal_formats[None]
    rounded = Decimal(f"{number:.{digits}f}")
    return str(pattern.apply(rounded, locale, force_frac=(digits, digits)))


def significant(number: float, digits: int) -> str:
    """A number with so many significant digits at most, without trailing zeros."""
    if not math.isfinite(number):
        return NOTHING
    rounded = Decimal(f"{number:.{digits}g}")
    shown = max(0, -int(rounded.normalize().as_tuple().exponent))
    locale = _locale(spoken())
    return str(locale.decimal_formats[None].apply(rounded, locale, force_frac=(shown, shown)))


def percent(share: float | None, digits: int = 0) -> str:
    """A share of 1 as a percentage; a dash if it is not known."""
    if share is None or not math.isfinite(share):
        return NOTHING
    locale = _locale(spoken())
    pattern = locale.percent_formats[None]
    rounded = Decimal(f"{100 * share:.{digits}f}") / 100
    return str(pattern.apply(rounded, locale, force_frac=(digits, digits)))


def measure(value: float, unit: str, digits: int = 1) -> str:
    """A number with its unit; a dash if it was not measured."""
    return NOTHING if not math.isfinite(value) else f"{decimal(value, digits)} {unit}"


def weight(kg: float) -> str:
    """A mass to three figures, in g, kg, or t; a dash if it is not known."""
    if not math.isfinite(kg):
        return NOTHING
    scale, unit = (1000, "g") if kg < 1 else (1, "kg") if kg < 10_000 else (1e-3, "t")
    value = kg * scale
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{decimal(value, min(digits, 6))} {unit}"


def show_moment(unix_s: float | None) -> str:
    """Date and time to the second; a dash if not known."""
    return _written(unix_s, "yMd", "Hms")


def show_minute(unix_s: float | None) -> str:
    """Date and time to the minute; a dash if not known."""
    return _written(unix_s, "yMd", "Hm")


def show_date(unix_s: float | None) -> str:
    """The date; a dash if not known."""
    return _written(unix_s, "yMd")


def show_day_of_year(unix_s: float | None) -> str:
    """The date without its year; a dash if not known."""
    return _written(unix_s, "Md")


def show_time_of_day(unix_s: float | None, *, seconds: bool = True) -> str:
    """The time of the day; a dash if not known."""
    return _written(unix_s, "Hms" if seconds else "Hm")


def _written(unix_s: float | None, *skeletons: str) -> str:
    from babel.dates import parse_pattern

    if unix_s is None:
        return NOTHING
    try:
        moment = datetime.fromtimestamp(unix_s)
    except (ValueError, OverflowError, OSError):  # a corrupted record
        return NOTHING
    language = spoken()
    locale = _locale(language)
    parts = []
    for skeleton in skeletons:
        iso = _ISO[skeleton] if language is Language.ENGLISH else None
        pattern = parse_pattern(iso or locale.datetime_skeletons[skeleton])
        parts.append(pattern.apply(moment, locale))
    return " ".join(parts)


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    from babel.units import format_unit

    whole = round(seconds)
    for size, unit in _UNITS:
        if whole >= size:
            return str(format_unit(whole // size, unit, locale=_locale(spoken())))
    return _("{count} s").format(count=whole)
