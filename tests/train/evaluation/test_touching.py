"""The rule that tells touching items from single ones, fitted to what the line sees of them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge.photos.dataset import find_photos
from train.evaluation.touching import LEAST_PHOTOS, RECALL, Laid, fit_rule, fit_touching, lay


def laid(count: int = 200, seed: int = 0) -> Laid:
    """Outlines that tell little, two views of each item."""
    rng = np.random.default_rng(seed)
    several = rng.random(count) < 0.4
    outlines = rng.normal(size=count) + several
    return Laid([], np.repeat(np.arange(count), 2), outlines, several)


def embeddings_of(items: Laid, apart: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    views = rng.normal(size=(len(items.item_of), 16)) + 3
    views[:, 0] += apart * items.several[items.item_of]
    return views.astype(np.float32)


def test_what_the_embedding_tells_is_added_to_the_outlines():
    items = laid()
    embeddings = embeddings_of(items, apart=6.0)
    rule, figures = fit_rule(embeddings, items)
    assert figures.items == 200 and figures.recognized == RECALL
    assert figures.false < 0.1 < 0.3 < figures.false_by_outline
    found = np.array(
        [
            rule.score(embeddings[2 * item : 2 * item + 2], items.outlines[item]) > 0
            for item in range(200)
        ]
    )
    assert found[items.several].mean() >= RECALL
    assert found[~items.several].mean() < 0.1
    assert (items.outlines[~items.several] > rule.certain).mean() < 0.02


def test_an_embedding_that_tells_the_opposite_makes_no_rule():
    """What looks more like several must never count less."""
    items = laid()
    items = replace(items, outlines=np.where(items.several, 1.0, -1.0))
    assert fit_rule(embeddings_of(items, apart=6.0), items) is None, "outlines tell all"
    assert (
        fit_rule(embeddings_of(items, apart=0.0), replace(laid(), outlines=-laid().outlines))
        is None
    )


def test_a_few_photos_make_no_rule(drawn_data: Path):
    photos = find_photos(drawn_data / "train")[:LEAST_PHOTOS]
    assert fit_touching(None, photos[: LEAST_PHOTOS - 1], seed=0) is None


def test_single_items_and_pairs_are_looked_at_as_on_a_line(drawn_data: Path):
    seen = lay(find_photos(drawn_data / "train")[:24], size=32, seed=3)
    assert len(seen.several) >= 12 and 0.2 < seen.several.mean() < 0.8
    assert {view.shape for view in seen.views} == {(32, 32, 3)}
    assert len(seen.views) == len(seen.item_of) and set(seen.item_of) == set(
        range(len(seen.several))
    )
    assert seen.outlines[seen.several].mean() > seen.outlines[~seen.several].mean()


def test_photos_without_a_plain_background_leave_cards_and_drawn_items(tmp_path: Path):
    rng = np.random.default_rng(0)
    for number in range(16):
        (tmp_path / "Noise").mkdir(exist_ok=True)
        noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "Noise" / f"{number}.png"), noise)
    seen = lay(find_photos(tmp_path), size=32, seed=0)
    assert len(seen.several) and seen.several.any() and not seen.several.all()
