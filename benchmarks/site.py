"""A simulated site is recalibrated by reviews and judged on other items: python benchmarks/site.py.

The site has another belt, light, and camera than the model was trained for. Items of `--photos` are
reviewed by their true class, items of `--judged` are judged. A view is classified alone, as
the recalibration does it; a line votes over several.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.shares import share
from benchmarks.site_views import (
    SITES,
    Camera,
    Sprite,
    drawn_sprites,
    photo_sprites,
    shuffled_rounds,
)
from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle
from edge.bundle.verify import verify
from edge.calibration.answers import Answers, LabeledAnswers
from edge.calibration.costs import Costs
from edge.calibration.outcome import SiteOutcome, SitePart, no_answers, outcome_of
from edge.errors import BadInput
from edge.inference.classifier import Classifier
from edge.learned.recalibration import InUse, SiteItems, missing_items, recalibrate
from edge.photos.dataset import find_photos
from edge.photos.reading import decode_photo
from edge.synthetic.items import CLASSES
from train.command import command

DRAWN_EACH = 40


@dataclass(frozen=True)
class SiteRow:
    """What decides after so many reviews, and what it comes to on other items of the site.

    Attributes:
        reviews: number of reviewed items.
        verdict: what the recalibration came to: `in use`, `refused`, or `recalibrated`.
        temperature: of the parameters that decide.
        outcome: of these on other items.
    """

    reviews: int
    verdict: str
    temperature: float
    outcome: SiteOutcome


def sprites_of(photos: Path | None, seed: int, bundle: Bundle) -> list[Sprite]:
    """The items of photos, or drawn ones.

    Raises:
        BadInput: the bundle does not know the class of one, or there are no usable photos.
    """
    found = CLASSES if photos is None else [photo.label for photo in find_photos(photos)]
    strange = set(found) - set(bundle.labels)
    if strange:
        raise BadInput(f"{bundle.path}: knows no {', '.join(sorted(strange))}")
    return drawn_sprites(seed, DRAWN_EACH) if photos is None else photo_sprites(photos)


def classify(
    classifier: Classifier, camera: Camera, sprites: Sequence[Sprite], count: int, seed: int
) -> LabeledAnswers:
    """Show items at a site, and classify each as it is recorded.

    `seed` decides their order, angles, sizes, and noise, so that what is judged does not depend on
    how many were reviewed.
    """
    shown, rng = list(islice(shuffled_rounds(sprites, seed), count)), np.random.default_rng(seed)
    pictures = (decode_photo(camera.view(sprite, rng), ("JPEG",)) for sprite in shown)
    made = [classifier.predict(picture) for picture in pictures]
    answers = Answers(
        np.stack([each.logits for each in made]), np.stack([each.embedding for each in made])
    )
    labels = list(classifier.labels)
    return LabeledAnswers(answers, np.array([labels.index(each.label) for each in shown]))


def measure(
    reviewed: LabeledAnswers, others: LabeledAnswers, in_use: InUse, reviews: Sequence[int]
) -> list[SiteRow]:
    """Recalibrate by the first reviews of a row, each number in turn; judge on other items."""
    nothing = no_answers(others.answers)

    def row(count: int, verdict: str, decides: InUse) -> SiteRow:
        outcome = outcome_of([SitePart(decides.current, others, nothing)], in_use.detector)
        return SiteRow(count, verdict, decides.current.temperature, outcome)

    rows = [row(0, "in use", in_use)]
    for count in reviews:
        items = SiteItems(reviewed.chosen(np.arange(count)), nothing)
        if missing_items(items):
            rows.append(row(count, "refused", in_use))
            continue
        found = recalibrate(items, in_use)
        verdict = "refused" if found.problem else "recalibrated"
        decides = in_use.current if found.problem else found.parameters
        rows.append(row(count, verdict, InUse(in_use.bundle, decides, in_use.detector)))
    return rows


def lines(rows: Sequence[SiteRow]) -> list[str]:
    """The rows as a table."""
    table = [f"{'reviews':>7}  {'':12}  {'in own bin':>24}  {'wrong bin':>22}  {'by hand':>24}"]
    for row in rows:
        found = row.outcome
        counts = (found.right, found.wrong, found.by_hand)
        cells = "  ".join(f"{share(count, found.items):>24}" for count in counts)
        table.append(f"{row.reviews:7}  {row.verdict:12}  {cells}")
    table.append(f"{'reviews':>7}  hazards kept out of other bins, calibration error, cost")
    for row in rows:
        found = row.outcome
        kept = [
            f"{hazard} {share(each.items - each.leaked, each.items)}, {each.leaked} leaked"
            for hazard, each in found.hazards.items()
        ]
        cost = f"{found.calibration_error:.1%}, {found.cost(Costs()):.0f} items by hand"
        table.append(f"{row.reviews:7}  {'; '.join(kept)}, {cost}")
    return table


def _as_json(rows: Sequence[SiteRow], described: Mapping[str, object]) -> str:
    return json.dumps({**described, "rows": [asdict(row) for row in rows]})


def main(
    *,
    site: Annotated[str, typer.Option(help=f"the site: {', '.join(SITES)}")] = "dim",
    photos: Annotated[
        Path | None, typer.Option(help="photos CLASS/*.jpg of reviewed items; default: drawn items")
    ] = None,
    judged_photos: Annotated[
        Path | None, typer.Option("--judged", help="photos of the items that are judged")
    ] = None,
    reviews: Annotated[
        list[int], typer.Option(min=1, max=5000, help="number of reviews; repeatable")
    ] = [50, 100, 200, 400],  # noqa: B006
    items: Annotated[int, typer.Option(min=1, help="number of items to judge on")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Recalibrate a simulated site. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    with command():
        if site not in SITES:
            raise BadInput(f"no such site: {site}; choose one of {', '.join(SITES)}")
        if (photos is None) != (judged_photos is None):
            raise BadInput("give both --photos and --judged, or neither")
        used, classifier = verify(bundle, threads=2).require()
        of_reviews = sprites_of(photos, seed, used)
        of_items = sprites_of(judged_photos, seed + 1, used)
        camera = Camera(SITES[site], seed)
        reviewed = classify(classifier, camera, of_reviews, max(reviews), seed)
        judged = classify(classifier, camera, of_items, items, seed + 1)
        manifest = used.manifest
        in_use = InUse(manifest, manifest, used.detector)
        rows = measure(reviewed, judged, in_use, sorted(reviews))
    if as_json:
        print(_as_json(rows, {"site": site, "items": items, "sprites": len(of_items)}))
        return
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    typer.run(main)
