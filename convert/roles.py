"""The roles of a TUF repository, and how long what each signs is valid."""

from collections.abc import Mapping, Sequence
from enum import Enum

from edge.errors import BadInput


class Role(str, Enum):
    """A role of TUF: what its signature vouches for."""

    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


DAYS: Mapping[Role, float] = {
    Role.ROOT: 365,
    Role.TARGETS: 180,
    Role.SNAPSHOT: 30,
    Role.TIMESTAMP: 7,
}
"""How long what a role signed is valid, where nothing else is given."""
MOST_DAYS = 3650.0


def parse_days(given: Sequence[str]) -> dict[Role, float]:
    """How long what each role signs is valid, days, from texts such as `timestamp=7`.

    Raises:
        BadInput: a text names no role, or no number of days from 0.01 to 3,650.
    """
    days = dict(DAYS)
    for text in given:
        name, _, number = text.partition("=")
        try:
            role, value = Role(name), float(number)
        except ValueError:
            role, value = Role.TIMESTAMP, 0.0
        if not 0.01 <= value <= MOST_DAYS:  # NaN is not
            roles = ", ".join(each.value for each in Role)
            raise BadInput(
                f"--expiry {text}: give ROLE=DAYS, with one of {roles} and 0.01 to "
                f"{MOST_DAYS:,.0f} days"
            )
        days[role] = value
    return days
