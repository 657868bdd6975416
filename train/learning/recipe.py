"""How to train: the settings of a run, and the phases that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from train.learning.earlier_names import EARLIER_SETTINGS

if TYPE_CHECKING:
    from train.learning.model import Network

UnfreezeStage = Literal["conv5", "conv4", "conv3"]
Augmentation = Literal["belt", "plain"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Distribute = Literal["mirrored", "multiworker"]

LAST_FROZEN = "conv4_block6_out"
"""The last frozen layer: the last stage (conv5) and the head come after it."""

HEAD = "logits"
"""The last layer with weights, one output for each class."""

BOUNDARIES = {"conv5": LAST_FROZEN, "conv4": "conv3_block4_out", "conv3": "conv2_block3_out"}
"""The layer before each stage of ResNet50."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: epochs that train the layers without pretrained weights. An epoch is one pass over
            the photos, or several over few (`train.learning.features.Batches`); each pass sees one
            view of every photo.
        unfreeze_epochs: further epochs, in which the stages from `unfreeze` on learn as well.
        unfreeze: the first of these stages.
        views: augmented views of each photo, used in turn with the photo itself; in one pass some
            photos show one of them, others another.
        augmentation: kind of the views, see `train.augmentation.augment`.
        learning_rate: peak learning rate of Adam for the new layers.
        unfreeze_learning_rate: peak learning rate of Adam for the unfrozen stages.
        label_smoothing: share of the label that is spread evenly over all classes, 0 to 1.
        mixup: alpha of the Beta distribution by which the features of two photos are mixed, with
            their labels; 0 mixes none (`train.learning.features.mixed`).
        ema: decay per step of the moving average of the weights that is judged and kept; 0 keeps
            the weights themselves.
        distillation: weight of the teacher's loss beside that of the labels; without a teacher it
            has no effect.
        negative_weight: weight of a photo of no known class, which should be every class alike,
            beside one of a known class.
        batch: photos per step, at most; few photos make smaller steps
            (`train.learning.features.batch_size`).
        patience: epochs without a better validation loss after which a phase stops early.
        seed: of the order of photos, their augmentation and the initial weights of new layers.
    """

    epochs: int = 20
    unfreeze_epochs: int = 0
    unfreeze: UnfreezeStage = "conv5"
    views: int = 6
    augmentation: Augmentation = "belt"
    learning_rate: float = 1e-3
    unfreeze_learning_rate: float = 1e-4
    label_smoothing: float = 0.1
    mixup: float = 0.0
    ema: float = 0.99
    distillation: float = 5.0
    negative_weight: float = 0.5
    batch: int = 64
    patience: int = 12
    seed: int = 0


ADDED = ("distillation", "negative_weight")
"""Settings that runs of earlier versions lack, and that changed nothing in them."""


def recipe_of(config: dict) -> Recipe:
    """The recipe in the `config.json` of a run, by its keys or by those of earlier versions.

    Raises:
        KeyError: a setting is missing.
    """
    named = {}
    for name in Recipe.__dataclass_fields__:
        key = name if name in config else EARLIER_SETTINGS.get(name, name)
        if key in config or name not in ADDED:
            named[name] = config[key]
    return Recipe(**named)


@dataclass(frozen=True)
class Phase:
    """A number of epochs at one learning rate that rises at first and falls along a cosine.

    Attributes:
        name: in words.
        boundary: the layers before this one run once for each view of a photo, those after it
            learn; None: all layers learn, from newly augmented photos.
        epochs: largest number of epochs.
        learning_rate: peak learning rate.
        unfrozen: whether pretrained layers behind the boundary learn too.
    """

    name: str
    boundary: str | None
    epochs: int
    learning_rate: float
    unfrozen: bool


def plan_phases(recipe: Recipe, network: Network) -> tuple[Phase, ...]:
    """The phases for this network: one only where none is frozen, or at most the head is new."""
    new = Phase("new layers", LAST_FROZEN, recipe.epochs, recipe.learning_rate, unfrozen=False)
    unfrozen = Phase(
        name="unfrozen",
        boundary=BOUNDARIES[recipe.unfreeze],
        epochs=recipe.unfreeze_epochs,
        learning_rate=recipe.unfreeze_learning_rate,
        unfrozen=True,
    )
    if not network.pretrained:
        return (replace(new, name="whole network", boundary=None, unfrozen=True),)
    if set(network.new_layers) <= {HEAD}:
        return (replace(unfrozen, epochs=recipe.epochs),)
    return tuple(phase for phase in (new, unfrozen) if phase.epochs)
