"""What decides on the items of a line and can only be exchanged as one."""

from dataclasses import dataclass

from edge.decision.decide import DecisionRules
from edge.inference.worker import Predicting


@dataclass(frozen=True)
class Decider:
    """A model with the rules for its answers.

    Attributes:
        bundle: digest of the bundle that both are of, for the records.
        classifier: the model, loaded.
        rules: how its predictions become a verdict.
        longest_item_mm: what is longer on the belt cannot be one item.
    """

    bundle: str
    classifier: Predicting
    rules: DecisionRules
    longest_item_mm: float
