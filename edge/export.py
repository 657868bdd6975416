"""Records and reviewed pictures for elsewhere: a CSV file, and a dataset to train on."""

import csv
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from edge.decision import UNKNOWN
from edge.errors import BadInput, EwasteError
from edge.files import sync_folder
from edge.store import ItemRecord

LISTING = "items.csv"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        pictures: all of them.
        reviewed: those whose folder a person chose; the others lie where the model would put them.
    """

    pictures: int
    reviewed: int


def export_csv(records: Iterable[ItemRecord], path: Path) -> int:
    """Write the records, but for their pictures, to a CSV file; returns how many.

    Raises:
        EwasteError: it cannot be written; nothing is left behind.
    """
    count = 0
    fresh = path.with_name(f".{path.name}.new")
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            writer = None
            for record in records:
                row = {name: value for name, value in asdict(record).items() if name != "crop"}
                if writer is None:
                    writer = csv.DictWriter(file, row)
                    writer.writeheader()
                writer.writerow(row)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise EwasteError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        fresh.unlink(missing_ok=True)
    return count


def export_review(
    records: Iterable[ItemRecord], folder: Path, skipped: Callable[[str], None]
) -> Exported:
    """Write pictures as a dataset `folder/CLASS/*.jpg`, which train/fine_tune.py takes as --data.

    CLASS is the label that a person gave, else the likeliest class; a person looks through the
    folders, moves what lies wrong and deletes what is no good. The names begin with the confidence,
    so that the doubtful ones come first. `items.csv` tells of each picture.

    Args:
        records: with crops.
        folder: to write; must not exist or hold nothing.
        skipped: gets a line on what could not be given a class.

    Raises:
        BadInput: the folder holds something, or there is nothing to export.
        EwasteError: it cannot be written; nothing is left behind.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder}: holds something; give a folder that is new or empty")
    fresh = folder.with_name(f".{folder.name}.new")
    listed: list[dict[str, object]] = []
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for record in records:
            place = picture_path(record)
            if place is None:
                skipped(f"{record.item_id}: no class to put it under; left out")
                continue
            (fresh / place).parent.mkdir(exist_ok=True)
            (fresh / place).write_bytes(record.crop)
            listed.append(
                {
                    "path": place.as_posix(),
                    "label": place.parent.name,
                    "reviewed": bool(record.reviewed),
                    "predicted": record.label,
                    "confidence": record.confidence,
                    "review": record.review,
                    "reason": record.reason,
                    "item_id": record.item_id,
                }
            )
        if not listed:
            raise BadInput("no picture waits for review")
        with (fresh / LISTING).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, listed[0])
            writer.writeheader()
            writer.writerows(listed)
        if folder.exists():
            folder.rmdir()
        fresh.rename(folder)
    except OSError as error:
        raise EwasteError(f"{folder}: cannot be written ({error.strerror})") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Exported(len(listed), sum(bool(row["reviewed"]) for row in listed))


def picture_path(record: ItemRecord) -> Path | None:
    """Where a picture goes within the dataset; None when nothing says what it may be."""
    predicted = record.label if record.label != UNKNOWN else record.likeliest
    label = record.reviewed or predicted
    if not label or label.startswith(".") or "/" in label or "\0" in label:
        return None
    return Path(label) / f"{record.confidence:.3f}-{quote(record.item_id, safe='')}.jpg"
