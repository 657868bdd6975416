"""Share of touching and overlapping items that are recognized: python benchmarks/touching.py."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from math import cos, pi, sin
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from edge.belt.detector import Detector
from edge.belt.geometry import Geometry
from edge.belt.observer import TouchingEvidence
from edge.belt.touching import shape_of
from edge.belt.tracker import TrackedItem, Tracker
from edge.photos.dataset import find_photos
from edge.simulator.layout import MARGIN_MM, PlacedItem
from edge.simulator.pieces import Piece, drawn_pieces, photo_pieces, segmented_pieces
from edge.simulator.scene import Scene
from train.command import command

VIEW = Geometry()
GAP_MM = (150.0, 250.0)
STEP_MM = 40.0
DEEPEST = 0.35
"""Items overlap by at most this share of the smaller extent of the two."""
TURN_DEGREES = 30.0
Group = tuple[PlacedItem, ...]


@dataclass
class Track:
    """One track of the tracker: its item, whether it touches another, and its outlines' figures."""

    item: TrackedItem
    evidence: TouchingEvidence = field(default_factory=TouchingEvidence)
    figures: list[tuple[float, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class TouchingRow:
    """One kind of group on the belt.

    Attributes:
        pieces: kind of the items.
        lie: `single`, `touching` or `overlapping`.
        groups: number of groups.
        recognized: share of the groups whose tracks were all recognized as more than one item.
        split: number of groups with more than one track.
        missed: number of groups without a track.
        per_label: label -> share of single items recognized as more than one, by mistake.
    """

    pieces: str
    lie: str
    groups: int
    recognized: float
    split: int
    missed: int
    per_label: dict[str, float]


def against(
    first: np.ndarray, second: np.ndarray, direction: float, reach_px: int, step_px: int = 3
) -> int:
    """The distance of the centers of two images at which their items just do not touch, px.

    Args:
        first: uint8 RGBA [h, w, 4].
        second: the item that is moved toward it, uint8 RGBA [h, w, 4].
        direction: direction from the first to the second, radians.
        reach_px: initial distance, px.
        step_px: step of the distance, px.
    """
    lies = np.argwhere(first[::step_px, ::step_px, 3] > 127) * step_px
    lies = lies - np.array(first.shape[:2]) // 2
    mask = second[..., 3] > 127
    corner = np.array(mask.shape) // 2
    for apart in range(reach_px, 0, -step_px):
        place = np.round(np.array([sin(direction), cos(direction)]) * apart).astype(int)
        at = lies - place + corner
        inside = ((at >= 0) & (at < mask.shape)).all(axis=1)
        if mask[tuple(at[inside].T)].any():
            return apart + step_px
    return 0


def groups(pieces: Iterator[Piece], lie: str, count: int, seed: int) -> list[Group]:
    """Place single items or pairs one behind the other; pairs lie in any direction."""
    rng, end_mm = np.random.default_rng(seed), VIEW.width_mm
    placed: list[Group] = []
    while len(placed) < count:
        taken = list(islice(pieces, 1 if lie == "single" else 2))
        corners = [(0.0, 0.0)]
        if len(taken) == 2:
            corners.append(_pushed(taken[0], taken[1], lie, rng))
        ends = [
            (along - piece.length_mm / 2, along + piece.length_mm / 2)
            for piece, (along, _) in zip(taken, corners, strict=True)
        ]
        sides = [
            (across - piece.width_mm / 2, across + piece.width_mm / 2)
            for piece, (_, across) in zip(taken, corners, strict=True)
        ]
        low, high = min(side[0] for side in sides), max(side[1] for side in sides)
        room_mm = VIEW.height_mm / 2 - MARGIN_MM
        if high - low > 2 * room_mm:
            continue
        offset_mm = rng.uniform(-room_mm - low, room_mm - high)
        begin_mm = end_mm + rng.uniform(*GAP_MM) - min(end[0] for end in ends)
        placed.append(
            tuple(
                PlacedItem(
                    piece.label,
                    begin_mm + along,
                    offset_mm + across,
                    piece.length_mm,
                    piece.width_mm,
                    piece.draw,
                )
                for piece, (along, across) in zip(taken, corners, strict=True)
            )
        )
        end_mm = begin_mm + max(end[1] for end in ends)
    return placed


def _pushed(first: Piece, second: Piece, lie: str, rng: np.random.Generator) -> tuple[float, float]:
    """The offset of the center of the second from the first, mm along and across the belt."""
    direction = rng.uniform(-pi, pi)
    reach_mm = np.hypot(first.length_mm, first.width_mm) + np.hypot(
        second.length_mm, second.width_mm
    )
    reach_px = round(reach_mm / 2 / VIEW.mm_per_px) + 4
    apart_mm = against(first.draw(), second.draw(), direction, reach_px) * VIEW.mm_per_px
    if lie == "overlapping":
        extents = [
            abs(piece.length_mm * cos(direction)) + abs(piece.width_mm * sin(direction))
            for piece in (first, second)
        ]
        apart_mm -= rng.uniform(0.08, DEEPEST) * min(extents)
    # The belt coordinate grows to the left of the picture.
    return -apart_mm * cos(direction), apart_mm * sin(direction)


def tracks(placed: list[Group], seed: int) -> list[list[Track]]:
    """The tracks of each group, found by the detector and tracker of the line."""
    scene = Scene([item for group in placed for item in group], VIEW, seed)
    detector, tracker = Detector(VIEW), Tracker()
    found: dict[int, Track] = {}
    encoder_mm = 0.0
    while encoder_mm < scene.end_mm:
        detections = detector.detect(scene.render(encoder_mm))
        for item, detection in tracker.update(detections, VIEW, encoder_mm, encoder_mm / 250):
            track = found.setdefault(item.number, Track(item))
            track.item = item
            track.evidence.add(detection)
            if detection.whole and detection.outline is not None and len(track.figures) < 3:
                track.figures.append(shape_of(detection.outline).features)
        encoder_mm += STEP_MM
    ends = [
        (
            min(item.position_mm - item.length_mm / 2 for item in group),
            max(item.position_mm + item.length_mm / 2 for item in group),
        )
        for group in placed
    ]
    return [
        [each for each in found.values() if low <= each.item.position_mm <= high]
        for low, high in ends
    ]


def row(pieces: str, lie: str, placed: list[Group], found: list[list[Track]]) -> TouchingRow:
    """Count the recognized, split and missed groups."""
    seen = [bool(each) and all(track.evidence.touching for track in each) for each in found]
    labels = sorted({group[0].label for group in placed}) if lie == "single" else []
    return TouchingRow(
        pieces=pieces,
        lie=lie,
        groups=len(placed),
        recognized=round(float(np.mean(seen)), 4),
        split=sum(len(each) > 1 for each in found),
        missed=sum(not each for each in found),
        per_label={
            label: round(
                float(
                    np.mean(
                        [
                            one
                            for one, group in zip(seen, placed, strict=True)
                            if group[0].label == label
                        ]
                    )
                ),
                3,
            )
            for label in labels
        },
    )


def fitted(figures: list[tuple[float, ...]], several: list[bool], recall: float) -> dict:
    """Fit a logistic regression; its intercept is set for the given recall on pairs."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    values, truth = np.array(figures), np.array(several)
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(class_weight="balanced").fit(scaler.transform(values), truth)
    weights = model.coef_[0] / scaler.scale_
    intercept = -float(np.quantile((values @ weights)[truth], 1 - recall))
    alarms = float((values[~truth] @ weights + intercept > 0).mean())
    return {"weights": weights.round(2).tolist(), "intercept": intercept, "false_alarms": alarms}


def sources(photos: Path | None, seed: int) -> dict[str, Iterator[Piece]]:
    """The items by kind: drawn items and, with photos, cut-outs and cards."""
    found: dict[str, Iterator[Piece]] = {"drawn": drawn_pieces(seed, VIEW)}
    if photos is not None:
        listed = find_photos(photos)
        found["cut-outs"] = segmented_pieces(listed, TURN_DEGREES, seed, VIEW)
        found["cards"] = photo_pieces(listed, seed, VIEW)
    return found


def main(
    *,
    count: Annotated[int, typer.Option(min=1, help="number of groups of each kind")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    photos: Annotated[Path | None, typer.Option(help="folder of photos, CLASS/*.jpg")] = None,
    fit: Annotated[
        float | None, typer.Option(help="fit the weights for this recall, 0 to 1")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure single items and pairs on the belt. Exit codes: 0 done, 1 failed, 2 bad input."""
    rows, figures, several = [], [], []
    with command():
        for lie in ("single", "touching", "overlapping"):
            for name, pieces in sources(photos, seed).items():
                placed = groups(pieces, lie, count, seed)
                found = tracks(placed, seed)
                rows.append(row(name, lie, placed, found))
                for each in found:
                    if len(each) == 1:
                        figures += each[0].figures
                        several += [lie != "single"] * len(each[0].figures)
    weights = fitted(figures, several, fit) if fit is not None else {}
    if as_json:
        print(json.dumps({"rows": [asdict(each) for each in rows], **weights}))
        return
    print(f"{'items':9} {'lie':12} groups  recognized  as two tracks  missed")
    for measured in rows:
        print(
            f"{measured.pieces:9} {measured.lie:12} {measured.groups:6}"
            f"  {measured.recognized:10.1%}  {measured.split:13}  {measured.missed:6}"
        )
        alarms = {label: share for label, share in measured.per_label.items() if share}
        if alarms:
            print("  " + ", ".join(f"{label} {share:.1%}" for label, share in alarms.items()))
    for key, value in weights.items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    typer.run(main)
