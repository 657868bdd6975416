"""Share of touching and overlapping items that are recognized: python benchmarks/touching.py."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from edge.bundle.bundle import DEFAULT_BUNDLE, load_bundle, open_classifier
from edge.photos.dataset import find_photos
from edge.simulator.pairs import VIEW, Group, Lie, Track, groups, tracks
from edge.simulator.pieces import Piece, drawn_pieces, photo_pieces, segmented_pieces
from train.command import command

STEP_MM = 40.0
TURN_DEGREES = 30.0


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


def several_by(bundle: Path | None) -> tuple[Callable[[Track], bool], float]:
    """What tells whether a track is of several items, and the score of an outline that is certain.

    Args:
        bundle: directory of the bundle whose model is asked; None: outlines alone tell.

    Raises:
        BadInput, Refused: the bundle cannot be used.
    """
    rule = None
    if bundle is not None:
        loaded = load_bundle(bundle)
        rule, model = loaded.touching, open_classifier(loaded)
    if rule is None:
        return lambda track: track.evidence.touching, 0.0

    def is_several(track: Track) -> bool:
        score = track.evidence.outline_score
        if track.evidence.touching or score is None or not track.views:
            return track.evidence.touching
        embeddings = np.stack([model.predict(view).embedding for view in track.views])
        return rule.shows_several(embeddings, score)

    return is_several, rule.certain


def row(
    pieces: str,
    lie: Lie,
    *,
    placed: list[Group],
    found: list[list[Track]],
    is_several: Callable[[Track], bool],
) -> TouchingRow:
    """Count the recognized, split and missed groups."""
    seen = [bool(each) and all(map(is_several, each)) for each in found]
    labels = sorted({group[0].label for group in placed}) if lie is Lie.SINGLE else []
    return TouchingRow(
        pieces=pieces,
        lie=lie.value,
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
    bundle: Annotated[
        Path, typer.Option(help="the bundle whose model is asked too")
    ] = DEFAULT_BUNDLE,
    outlines_only: Annotated[
        bool, typer.Option("--outlines-only", help="let the outlines alone tell")
    ] = False,
    fit: Annotated[
        float | None, typer.Option(help="fit the weights for this recall, 0 to 1")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure single items and pairs on the belt. Exit codes: 0 done, 1 failed, 2 bad input."""
    rows, figures, several = [], [], []
    with command():
        is_several, certain = several_by(None if outlines_only else bundle)
        for lie in Lie:
            for name, pieces in sources(photos, seed).items():
                placed = groups(pieces, lie, count, seed)
                found = tracks(placed, seed, STEP_MM, certain)
                rows.append(row(name, lie, placed=placed, found=found, is_several=is_several))
                for each in found:
                    if len(each) == 1:
                        figures += each[0].figures
                        several += [lie is not Lie.SINGLE] * len(each[0].figures)
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
