"""Fetch the E-Waste Image Dataset from Kaggle: python train/download.py --out DIR."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import BadInput, EwasteError
from edge.files import folder_beside
from edge.photos.dataset import find_dataset
from edge.photos.listing import SPLITS, split_named
from edge.terminal import out as results
from train.command import command

DATASET = "akshat103/e-waste-image-dataset"


def download(out: Path, fetch: Callable[[str], str]) -> dict[str, int]:
    """Fetch the dataset and lay it out as `out/SPLIT/CLASS/*`, whole or not at all.

    Args:
        out: a folder that does not exist yet or is empty.
        fetch: takes the dataset's name on Kaggle, returns the folder it was put in.

    Returns the number of photos in each split.

    Raises:
        BadInput: `out` is not empty.
        EwasteError: it cannot be fetched or written, or holds something else than expected.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out}: is not empty; choose another folder")
    try:
        fetched = Path(fetch(DATASET))
    except Exception as error:  # whatever the client and its network library may raise
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise EwasteError(
            f"{DATASET}: cannot be fetched from Kaggle ({why}); a network is needed, or get the "
            "photos another way: any folder SPLIT/CLASS/*.jpg will do"
        ) from None
    splits = find_splits(fetched)
    try:
        with folder_beside(out) as staging:
            for split, folder in splits.items():
                shutil.copytree(folder, staging / split)
            counts = {split: len(photos) for split, photos in find_dataset(staging).items()}
            if out.exists():
                out.rmdir()
            staging.replace(out)
    except OSError as error:
        raise EwasteError(f"{out}: cannot be written ({error})") from None
    return counts


def find_splits(folder: Path) -> dict[str, Path]:
    """The folders of train, val and test, by whatever name, wherever they lie together.

    Raises:
        EwasteError: there are none.
    """
    for place in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        named = {split_named(path.name): path for path in place.iterdir() if path.is_dir()}
        if set(SPLITS) <= set(named):
            return {split: named[split] for split in SPLITS}
    raise EwasteError(f"{folder}: fetched, but it holds no train, val and test folders")


def main(
    out: Annotated[Path, typer.Option(help="folder to write, SPLIT/CLASS/*.jpg")],
) -> None:
    """Fetch the dataset. Exit codes: 0 done, 1 failed (no network), 2 bad input (no kagglehub)."""
    with command(out):
        try:
            import kagglehub
        except ImportError:
            raise BadInput("kagglehub is not installed; pip install '.[train,kaggle]'") from None
        counts = download(out, kagglehub.dataset_download)
        counted = ", ".join(f"{count} photos to {split}" for split, count in counts.items())
        results.print(f"{out}: {counted}")


if __name__ == "__main__":
    typer.run(main)
