"""What the installer says of each step."""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What became of a step."""

    DONE = "done"
    ALREADY = "as it was"
    NOTE = "note"


@dataclass(frozen=True)
class Step:
    """One step of the installer.

    Attributes:
        outcome: what became of it.
        name: of what it is about, in a word or two.
        detail: one line for people.
    """

    outcome: Outcome
    name: str
    detail: str

    @property
    def line(self) -> str:
        """The step as it is printed."""
        return f"{self.outcome.value:10}{self.name:14}{self.detail}"


def done(name: str, detail: str) -> Step:
    """Something was changed."""
    return Step(Outcome.DONE, name, detail)


def already(name: str, detail: str) -> Step:
    """All was there; nothing was changed."""
    return Step(Outcome.ALREADY, name, detail)


def note(name: str, detail: str) -> Step:
    """Nothing failed, but a person should know."""
    return Step(Outcome.NOTE, name, detail)
