"""Options of a calibration and of an evaluation."""

from dataclasses import dataclass, field
from pathlib import Path

from edge.calibration.costs import Costs


@dataclass(frozen=True)
class CalibrationOptions:
    """Options of a calibration.

    Attributes:
        costs: of wrong decisions.
        seed: of augmentation, pasting and OOD samples.
        masks: folder of masks (`train.data.masks`); None: photos are segmented here.
        negatives: photos of things of no known class; those in one folder show one kind of thing.
    """

    costs: Costs = field(default_factory=Costs)
    seed: int = 0
    masks: Path | None = None
    negatives: tuple[Path, ...] = ()


@dataclass(frozen=True)
class EvaluationRequest:
    """What to evaluate, and on what.

    Attributes:
        model: run or bundle directory.
        data: dataset folder.
        splits: splits of it, evaluated together.
        unknown: folder CATEGORY/* of out-of-distribution photos; None skips them.
        sources: datasets of other people's photos, on each of which it is evaluated as well.
        leaked: file that lists, one path per line, photos that the model has seen in training;
            `accuracy_clean` excludes them.
        corruption_photos: number of photos to corrupt, balanced over the classes; 0 skips this.
        background: whether items are pasted on other backgrounds.
        masks: folder of masks (`train.data.masks`); None: photos are segmented here.
        threads: threads of the TFLite runtime.
    """

    model: Path
    data: Path
    splits: tuple[str, ...] = ("test",)
    unknown: Path | None = None
    sources: tuple[Path, ...] = ()
    leaked: Path | None = None
    corruption_photos: int = 300
    background: bool = True
    masks: Path | None = None
    threads: int = 2
