"""What wrong decisions cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """Costs of decisions, in items sorted by hand.

    Attributes:
        wrong: cost of an item in the bin of another label.
        hazard: cost of a hazard in the bin of another label.
    """

    wrong: float = 3.0
    hazard: float = 100.0
