"""The job of a training: its settings, and the photos and the network that follow from them."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.labels import normalized
from edge.photos.dataset import photos_below
from train.augmentation.augment import belt_augmenter, plain_augmenter
from train.data.dataset import Dataset, read_dataset
from train.data.masks import read_masks, squared
from train.data.other_photos import read_other_photos
from train.learning.fit import NEGATIVE, UNLABELED, Material
from train.learning.model import Network, build_network, continue_from
from train.learning.recipe import Distribute, Precision, Recipe, recipe_of
from train.learning.teacher import open_teacher

log = logging.getLogger(__name__)

CONFIG, MODEL, FEATURES = "config.json", "model.keras", "features"


@dataclass(frozen=True)
class Job:
    """A training: of what, from what, and how. `config.json` holds it.

    Attributes:
        data: datasets, see `edge.photos.dataset.find_dataset`.
        weights: "imagenet", "none", or a file of Keras.
        init: an earlier run to continue from.
        image_size: height and width of the model's input, px.
        dropout: share of the embedding that is left out in training, 0 to 1.
        precision: what to compute in, see `train.learning.precision`.
        distribute: over what, see `train.learning.distribute`; None: one device.
        keep_duplicates: see `train.data.dataset.read_dataset`.
        masks: the photos' items (`train.data.masks`); None: they are segmented here.
        folds: in how many folds the recipe is cross-validated first; None: not at all.
        teacher: ONNX file of a network to learn from besides the labels (`train.learning.teacher`).
        unlabeled: folders of photos that the teacher alone says something of.
        negatives: folders of photos that show something of no known class.
        left_out_sources: datasets of `data` that are not trained on but judged.
        recipe: the rest.
    """

    data: tuple[Path, ...]
    weights: str = "imagenet"
    init: Path | None = None
    image_size: int = 160
    dropout: float = 0.4
    precision: Precision = "auto"
    distribute: Distribute | None = None
    keep_duplicates: bool = False
    masks: Path | None = None
    folds: int | None = None
    teacher: Path | None = None
    unlabeled: tuple[Path, ...] = ()
    negatives: tuple[Path, ...] = ()
    left_out_sources: tuple[Path, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)


def read(job: Job) -> Dataset:
    """The photos; logs how many there are. Raises as `train.data.dataset.read_dataset`."""
    dataset = read_dataset(
        job.data,
        job.image_size,
        job.recipe.seed,
        keep_duplicates=job.keep_duplicates,
        left_out_sources=job.left_out_sources,
    )
    log.info(
        f"{len(dataset.labels)} classes; {len(dataset.train.classes)} photos to train, "
        f"{len(dataset.val.classes)} to choose, {len(dataset.test.classes)} to judge"
        + (f", {len(dataset.outside.classes)} of sources left out" if dataset.outside else "")
    )
    if any(dataset.left_out.values()):
        log.info(
            f"left out for a copy in a later split: {dataset.left_out['train']} photos of train, "
            f"{dataset.left_out['val']} of val (--keep-duplicates keeps them)"
        )
    return dataset


def build(job: Job, labels: Sequence[str]) -> Network:
    """The network before training.

    Raises:
        BadInput: the weights or the earlier run cannot be used, or that one knows a class more.
        EwasteError: the ImageNet weights could not be downloaded.
    """
    if job.init is None:
        return build_network(len(labels), job.image_size, job.weights, job.dropout)
    order, model = _places_there(job.init, labels), job.init / MODEL
    network = build_network(len(labels), job.image_size, str(model), job.dropout)
    return continue_from(network, model, order)


def _places_there(init: Path, labels: Sequence[str]) -> list[int | None]:
    """Of each label, its place among those of the run to continue from; None: it is new.

    Raises:
        BadInput: the run has labels that are gone: what it learned of one would go to another.
    """
    if not (init / CONFIG).is_file():
        raise BadInput(f"{init / CONFIG}: missing; give --init the directory of a finished run")
    try:
        theirs = [normalized(label) for label in json.loads((init / CONFIG).read_bytes())["labels"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{init / CONFIG}: cannot be continued from ({error!r})") from None
    surplus = sorted(set(theirs) - set(labels))
    if surplus:
        raise BadInput(
            f"--init {init}: knows {', '.join(surplus)}, which the photos lack; "
            f"--weights {init / MODEL} takes all of it but the last layer, which starts anew"
        )
    return [theirs.index(label) if label in theirs else None for label in labels]


def material_of(job: Job, dataset: Dataset, out: Path) -> Material:
    """The photos of train and val, and others to train on, augmented by the recipe.

    Features are cached in `out`.

    Raises:
        BadInput: the teacher or a folder of other photos cannot be used.
        EwasteError: ONNX Runtime is missing for the teacher.
    """
    teacher = open_teacher(job.teacher) if job.teacher else None
    others = read_other_photos(dataset, job.image_size, job.unlabeled, job.negatives)
    pixels = np.concatenate([dataset.train.pixels, dataset.val.pixels, others.pixels])
    of_others = np.where(others.negative, NEGATIVE, UNLABELED)
    classes = np.concatenate([dataset.train.classes, dataset.val.classes, of_others])
    train = np.arange(len(dataset.train.classes))
    val = np.arange(len(dataset.val.classes)) + len(train)
    useful = np.flatnonzero(others.negative | (teacher is not None))
    learned = np.concatenate([train, useful + len(train) + len(val)])
    if len(others.paths):
        log.info(
            f"{others.negative.sum()} negatives and {(~others.negative).sum()} unlabeled photos"
        )
    if job.recipe.augmentation == "belt":
        masks = None
        if job.masks is not None:
            paths = (*dataset.train.paths, *dataset.val.paths, *others.paths)
            found = read_masks(job.masks, paths)
            masks = [mask if mask is None else squared(mask, job.image_size) for mask in found]
        augmenter = belt_augmenter(pixels, classes, job.recipe.seed, masks)
    else:
        augmenter = plain_augmenter(pixels, job.recipe.seed)
    augmented, judged = (np.arange(len(classes)),) * 2 if job.folds else (learned, val)
    return Material(
        classes=classes,
        train=learned,
        val=val,
        augmenter=augmenter,
        cache=out / FEATURES,
        augmented=augmented,
        judged=judged,
        teacher=teacher,
    )


def negatives_of(job: Job, dataset: Dataset) -> tuple[Path, ...]:
    """The photos of things of no known class: of the datasets, and below the job's folders."""
    below = [photo for folder in job.negatives for photo in photos_below(folder)]
    return tuple(dict.fromkeys([*dataset.negatives, *below]))


def described(job: Job, dataset: Dataset, network: Network, policy: str) -> dict:
    """What `config.json` holds: the job, what it was run with, and what it met."""
    return {
        "labels": dataset.labels,
        "image_size": job.image_size,
        "data": [str(folder) for folder in job.data],
        "weights": job.weights,
        "init": None if job.init is None else str(job.init),
        "new_layers": network.new_layers,
        "dropout": job.dropout,
        "keep_duplicates": job.keep_duplicates,
        "masks": None if job.masks is None else str(job.masks),
        "folds": job.folds,
        "teacher": None if job.teacher is None else str(job.teacher),
        "unlabeled": [str(folder) for folder in job.unlabeled],
        "negatives": [str(folder) for folder in job.negatives],
        "left_out_sources": [str(folder) for folder in job.left_out_sources],
        "precision": policy.removeprefix("mixed_"),
        "distribute": job.distribute,
        **asdict(job.recipe),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
    }


def job_of_run(run: Path) -> Job:
    """The job that a run's `config.json` holds.

    Raises:
        BadInput: there is none, or it is of another version.
    """
    path = run / CONFIG
    if not path.is_file():
        raise BadInput(f"{run}: no run to continue (no {CONFIG}); start it without --resume")
    try:
        config = json.loads(path.read_bytes())
        recipe = recipe_of(config)
        return Job(
            data=tuple(Path(folder) for folder in config["data"]),
            weights=config["weights"],
            init=None if config["init"] is None else Path(config["init"]),
            image_size=config["image_size"],
            dropout=config["dropout"],
            precision=config["precision"],
            distribute=config["distribute"],
            keep_duplicates=config["keep_duplicates"],
            masks=None if config.get("masks") is None else Path(config["masks"]),
            folds=config["folds"],
            teacher=None if config.get("teacher") is None else Path(config["teacher"]),
            unlabeled=_paths(config, "unlabeled"),
            negatives=_paths(config, "negatives"),
            left_out_sources=_paths(config, "left_out_sources"),
            recipe=recipe,
        )
    except (ValueError, KeyError) as error:
        raise BadInput(f"{path}: cannot be continued from ({error!r}); start anew") from None


def _paths(config: dict, name: str) -> tuple[Path, ...]:
    return tuple(Path(folder) for folder in config.get(name, ()))
