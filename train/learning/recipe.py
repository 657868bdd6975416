"""How to train: the settings of a run, and the phases that follow from them."""

from dataclasses import dataclass
from typing import Literal

from train.learning.model import BOUNDARIES, LAST_FROZEN, Network

Thaw = Literal["conv5", "conv4", "conv3"]
Augmentation = Literal["belt", "plain"]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the photos that train the layers without pretrained weights; each pass
            sees one varied copy of every photo.
        unfreeze_epochs: further passes, in which the stages from `unfreeze` on learn as well.
        unfreeze: the first of these stages.
        copies: varied copies of each photo, shown in turn.
        augmentation: what a copy may be, see `train.augmentation.augment`.
        rate, unfreeze_learning_rate: peak learning rate of Adam in the two phases.
        label_smoothing: share of the label that is spread evenly over all classes, 0 to 1.
        mixup: alpha of the Beta distribution by which the features of two photos are mixed, with
            their labels; 0 mixes none (`train.learning.features.mixed`).
        ema: decay a step of the moving average of the weights that is judged and kept; 0 keeps the
            weights themselves.
        batch: photos a step.
        patience: epochs without a better validation loss after which a phase stops early.
        seed: of the order of photos, their variation and the fresh weights.
    """

    epochs: int = 20
    unfreeze_epochs: int = 0
    unfreeze: Thaw = "conv5"
    copies: int = 6
    augmentation: Augmentation = "belt"
    rate: float = 1e-3
    unfreeze_learning_rate: float = 1e-4
    label_smoothing: float = 0.1
    mixup: float = 0.0
    ema: float = 0.99
    batch: int = 64
    patience: int = 12
    seed: int = 0


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs at one learning rate that rises at first and falls along a cosine.

    Attributes:
        name: in words.
        boundary: what comes before this layer runs once for each copy of a photo, what comes behind
            it learns; None: all learns, from freshly varied photos.
        epochs: passes over the photos, at most.
        rate: peak learning rate.
        unfrozen: whether pretrained layers behind the boundary learn too.
    """

    name: str
    boundary: str | None
    epochs: int
    rate: float
    unfrozen: bool


def plan_phases(recipe: Recipe, network: Network) -> tuple[Phase, ...]:
    """The phases for this network: one only when there is nothing to freeze, or nothing fresh."""
    if not network.pretrained:
        return (Phase("whole network", None, recipe.epochs, recipe.rate, unfrozen=True),)
    boundary = BOUNDARIES[recipe.unfreeze]
    if not network.fresh:
        return (
            Phase(
                "unfrozen", boundary, recipe.epochs, recipe.unfreeze_learning_rate, unfrozen=True
            ),
        )
    phases = (
        Phase("fresh layers", LAST_FROZEN, recipe.epochs, recipe.rate, unfrozen=False),
        Phase(
            "unfrozen",
            boundary,
            recipe.unfreeze_epochs,
            recipe.unfreeze_learning_rate,
            unfrozen=True,
        ),
    )
    return tuple(phase for phase in phases if phase.epochs)
