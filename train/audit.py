"""Audit a dataset: python train/audit.py --data DIR --out AUDIT [--strict]."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from edge.errors import BadInput, EwasteError, Refused
from edge.inference.preprocess import model_input
from edge.labels import labels_problem
from edge.photos.dataset import dataset_names, survey
from edge.photos.reading import LabeledPhoto, count_unreadable, read_photo, stored_mode
from edge.terminal import out as results
from train.command import command, print_json
from train.data.duplicates import SIZE, digest, find_groups
from train.pages import jpeg_data_url, template_environment, write_figures_and_page
from train.progress import bar

log = logging.getLogger("train.audit")  # also where this module is __main__

EXTREMES = 8
MOST_SHOWN = 500
"""Groups with pictures in the page; all are in the JSON."""


@dataclass(frozen=True)
class Examined:
    """One readable photo.

    Attributes:
        photo: where it lies and what is on it.
        split: `train`, `val`, `test`, or "" where the dataset has no splits.
        width, height: px, as shown.
        mode: of the file, as Pillow names it.
        brightness: mean gray, 0 to 255.
        blur: variance of the Laplacian at 96 px; low is blurred or empty.
        digest: of the pixels.
        small: uint8 RGB [96, 96, 3].
    """

    photo: LabeledPhoto
    split: str
    width: int
    height: int
    mode: str
    brightness: float
    blur: float
    digest: str
    small: np.ndarray


@dataclass(frozen=True)
class Group:
    """Duplicates of one picture.

    Attributes:
        members: two photos or more.
        exact: all have the same pixels.
        leak: they are in more than one split.
        conflict: they have more than one label.
    """

    members: tuple[Examined, ...]
    exact: bool
    leak: bool
    conflict: bool

    @property
    def title(self) -> str:
        """In words."""
        kind = "exact duplicates" if self.exact else "near duplicates"
        splits = sorted({member.split for member in self.members if member.split})
        where = f"across {' and '.join(splits)}" if self.leak else "within a split"
        labels = sorted({member.photo.label for member in self.members})
        return f"{kind} {where}" + (f", labeled {' and '.join(labels)}" if self.conflict else "")


def examine(photo: LabeledPhoto, split: str) -> Examined:
    """Read and measure one photo.

    Raises:
        BadInput: it cannot be read.
    """
    pixels = read_photo(photo.path)
    small = model_input(pixels, SIZE)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return Examined(
        photo=photo,
        split=split,
        width=pixels.shape[1],
        height=pixels.shape[0],
        mode=stored_mode(photo.path),
        brightness=round(float(gray.mean()), 1),
        blur=round(float(cv2.Laplacian(gray, cv2.CV_64F).var()), 1),
        digest=digest(pixels),
        small=small,
    )


def group_duplicates(photos: Sequence[Examined]) -> list[Group]:
    """The groups of duplicates, the most harmful first."""
    members: dict[int, list[Examined]] = {}
    for number, photo in zip(find_groups([photo.small for photo in photos]), photos, strict=True):
        members.setdefault(int(number), []).append(photo)
    groups = [
        Group(
            tuple(duplicates),
            exact=len({duplicate.digest for duplicate in duplicates}) == 1,
            leak=len({duplicate.split for duplicate in duplicates}) > 1,
            conflict=len({duplicate.photo.label for duplicate in duplicates}) > 1,
        )
        for duplicates in members.values()
        if len(duplicates) > 1
    ]
    return sorted(groups, key=lambda group: (not group.conflict, not group.leak, not group.exact))


def audit(data: Sequence[Path], out: Path) -> dict:
    """Examine datasets and write `audit.json` and the page `audit.html` into `out`.

    Returns what `audit.json` holds. Logs each unreadable photo.

    Raises:
        BadInput: a dataset cannot be listed, or none of its photos read.
        EwasteError: the report cannot be written.
    """
    dataset_names(data)  # refuses one that is given twice
    surveys = [survey(source) for source in data]
    listed = [
        (photo, split)
        for each in surveys
        for split, photos in each.listing.items()
        for photo in photos
    ]
    notes = [note for each in surveys for note in each.notes()]
    if problem := labels_problem(dict.fromkeys(photo.label for photo, _ in listed)):
        notes.append(f"not to be trained on: {problem}")
    for note in notes:
        log.warning(note)
    photos, unreadable = [], []
    with bar("reading", len(listed)) as on_step:
        for photo, split in listed:
            try:
                photos.append(examine(photo, split))
            except BadInput as error:
                unreadable.append(str(error))
                log.warning(f"skipped {error}")
            on_step(1)
    if not photos:
        raise BadInput("none of the photos could be read; check the dataset")
    if unreadable:
        log.warning(count_unreadable(len(unreadable), len(listed)))
    groups = group_duplicates(photos)
    left_out = [left for each in surveys for left in each.left_out]
    report = {
        "data": [str(source) for source in data],
        "notes": notes,
        "left_out": [{"path": str(left.path), "reason": left.reason.value} for left in left_out],
        "left_out_by_reason": dict(Counter(left.reason.value for left in left_out)),
        **_report(photos, unreadable, groups),
    }
    page = (
        template_environment(Path(__file__).parent)
        .get_template("audit.html")
        .render(
            report=report,
            labels=sorted({photo.photo.label for photo in photos}),
            groups=groups,
            most=MOST_SHOWN,
            shown=_extremes(photos),
            picture=_picture,
        )
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_figures_and_page(out / "audit.json", report, out / "audit.html", page)
    except OSError as error:
        raise EwasteError(f"{out}: the report cannot be written ({error.strerror})") from None
    return report


def _report(photos: Sequence[Examined], unreadable: Sequence[str], groups: Sequence[Group]) -> dict:
    classes: dict[str, Counter] = {}
    for photo in photos:
        classes.setdefault(photo.split or "all", Counter())[photo.photo.label] += 1
    sizes = Counter(f"{photo.width}x{photo.height}" for photo in photos)
    return {
        "photos": len(photos),
        "unreadable": list(unreadable),
        "classes": {split: dict(sorted(counts.items())) for split, counts in classes.items()},
        "sizes": dict(sizes.most_common(20)),
        "different_sizes": len(sizes),
        "modes": dict(Counter(photo.mode for photo in photos)),
        "brightness": _spread([photo.brightness for photo in photos]),
        "blur": _spread([photo.blur for photo in photos]),
        "duplicates": {
            "groups": len(groups),
            "photos": sum(len(group.members) for group in groups),
            "exact": sum(group.exact for group in groups),
            "near": sum(not group.exact for group in groups),
            "within_split": sum(not group.leak for group in groups),
            "across_splits": sum(group.leak for group in groups),
            "label_conflicts": sum(group.conflict for group in groups),
        },
        "groups": [
            {
                "exact": group.exact,
                "leak": group.leak,
                "conflict": group.conflict,
                "photos": [
                    {
                        "path": str(member.photo.path),
                        "split": member.split,
                        "label": member.photo.label,
                        "brightness": member.brightness,
                        "blur": member.blur,
                    }
                    for member in group.members
                ],
            }
            for group in groups
        ],
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    shares = {"least": 0, "5%": 5, "median": 50, "95%": 95, "most": 100}
    return {name: round(float(np.percentile(values, at)), 1) for name, at in shares.items()}


def _extremes(photos: Sequence[Examined]) -> dict[str, list[Examined]]:
    by_brightness = sorted(photos, key=lambda photo: photo.brightness)
    return {
        "darkest": by_brightness[:EXTREMES],
        "brightest": by_brightness[: -EXTREMES - 1 : -1],
        "most blurred": sorted(photos, key=lambda photo: photo.blur)[:EXTREMES],
    }


def _picture(photo: Examined) -> str:
    return jpeg_data_url(photo.small, quality=80)


def _summary(report: dict) -> str:
    found = report["duplicates"]
    return (
        f"{report['photos']} photos, {len(report['unreadable'])} unreadable, "
        f"{len(report['left_out'])} left out; {found['groups']} groups of duplicates "
        f"({found['exact']} exact, {found['near']} near) with {found['photos']} photos: "
        f"{found['across_splits']} groups across splits, {found['label_conflicts']} with more than "
        "one label"
    )


def main(
    *,
    data: Annotated[
        list[Path],
        typer.Option(help="folder SPLIT/CLASS/*.jpg or CLASS/*.jpg, or a CSV file; repeatable"),
    ],
    out: Annotated[Path, typer.Option(help="folder for audit.json and audit.html")],
    strict: Annotated[
        bool, typer.Option("--strict", help="fail on duplicates across splits or labels")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Audit photos. Exit codes: 0 done, 1 failed, 2 bad input, 3 leaks found (--strict)."""
    with command(out):
        report = audit(data, out)
        if as_json:
            print_json(report)
        else:
            results.print(_summary(report))
        found = report["duplicates"]
        if strict and (found["across_splits"] or found["label_conflicts"]):
            raise Refused(
                f"{found['across_splits']} groups of duplicates across splits and "
                f"{found['label_conflicts']} label conflicts; see {out / 'audit.html'}"
            )


if __name__ == "__main__":
    typer.run(main)
