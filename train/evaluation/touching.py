"""Fitting the rule that tells touching items from single ones (`edge.inference.touching`).

Items of the training photos are laid on the simulated belt, single and in pairs, and looked at by
the line's own detector. A direction of the model's embedding is fitted to their views, and then
weighed against their outlines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from edge.belt.touching import score_of
from edge.inference.ood import unit
from edge.inference.preprocess import model_input
from edge.inference.touching import MOST_CERTAIN, TouchingRule
from edge.photos.reading import LabeledPhoto
from edge.simulator.pairs import VIEW, Lie, Track, groups, tracks
from edge.simulator.pieces import Piece, drawn_pieces, photo_pieces, segmented_pieces
from train.evaluation.predictor import Predictor, answer_all

LEAST_PHOTOS = 150
"""With fewer there is no rule: the direction would be that of these few items."""
MOST_SINGLE = 1200
"""Most single items, and most pairs; there are half as many of each as photos, if that is less."""
STEP_MM = 80.0
SPRITE_SIDE = 400
"""px; the belt shows no item larger, and hundreds of them stay in memory."""
STRENGTH = 30.0
"""Inverse strength of the regularization; 10 to 300 did the same on val of the ten classes."""
FOLDS = 5
RECALL = 0.93
"""Of the pairs whose length alone does not tell them, which is about one in two."""
CERTAIN = 0.995
"""Share of the single items whose outline scores less than `TouchingRule.certain`."""


@dataclass(frozen=True, eq=False)
class Laid:
    """What the line sees of the items that were laid on the belt.

    Attributes:
        views: uint8 RGB [S, S, 3] each, at the model's size.
        item_of: int [views], the item that each is of.
        outlines: float [items], scores of their outlines.
        several: bool [items], whether each is more than one.
    """

    views: list[np.ndarray]
    item_of: np.ndarray
    outlines: np.ndarray
    several: np.ndarray


@dataclass(frozen=True)
class TouchingFigures:
    """What a rule comes to, by cross-validation over items on the simulated belt.

    The same photo may lie in two folds, single and in a pair, so the shares are a little too good.

    Attributes:
        items: how many it was fitted to.
        recognized: share of the pairs that are recognized, of those whose length does not tell.
        false: share of the single items that are taken for several.
        false_by_outline: the same by outlines alone, where they recognize as many pairs.
    """

    items: int
    recognized: float
    false: float
    false_by_outline: float


def fit_touching(
    predictor: Predictor, photos: Sequence[LabeledPhoto], seed: int
) -> tuple[TouchingRule, TouchingFigures] | None:
    """Fit the rule of a model; None: too few photos, or it is no better than outlines alone.

    Args:
        predictor: the model.
        photos: of training.
        seed: of what lies where.
    """
    if len(photos) < LEAST_PHOTOS:
        return None
    laid = lay(photos, predictor.size, seed)
    if min(laid.several.sum(), (~laid.several).sum()) < FOLDS:
        return None
    return fit_rule(answer_all(predictor.answer, laid.views).embeddings, laid)


def fit_rule(embeddings: np.ndarray, laid: Laid) -> tuple[TouchingRule, TouchingFigures] | None:
    """Fit the rule to the embeddings of views, float [views, features]; None: it brings nothing."""
    center = embeddings.mean(axis=0)
    placed = unit(embeddings - center)
    several, outlines = laid.several, laid.outlines
    items = np.stack([placed[laid.item_of == item].mean(axis=0) for item in range(len(several))])
    regression = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=3000)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    along = cross_val_predict(regression, items, several, cv=folds, method="decision_function")
    both = np.column_stack([along, outlines])
    weighed = LogisticRegression(class_weight="balanced").fit(both, several)
    by_embedding, by_outline = map(float, weighed.coef_[0])
    scores = both @ weighed.coef_[0]
    limit, false = _at_recall(scores, several)
    _, false_by_outline = _at_recall(outlines, several)
    if min(by_embedding, by_outline) <= 0 or false >= false_by_outline:
        return None
    regression.fit(items, several)
    rule = TouchingRule(
        center=center.astype(np.float32),
        direction=regression.coef_[0].astype(np.float32),
        by_embedding=by_embedding,
        by_outline=by_outline,
        intercept=by_embedding * float(regression.intercept_[0]) - limit,
        certain=float(np.clip(np.quantile(outlines[~several], CERTAIN), 0, MOST_CERTAIN)),
    )
    return rule, TouchingFigures(len(several), RECALL, false, false_by_outline)


def _at_recall(scores: np.ndarray, several: np.ndarray) -> tuple[float, float]:
    """The limit over which the pairs are recognized, and the share of single items over it."""
    limit = float(np.quantile(scores[several], 1 - RECALL))
    return limit, float((scores[~several] > limit).mean())


def lay(photos: Sequence[LabeledPhoto], size: int, seed: int) -> Laid:
    """Lay items of photos, photos as cards, and drawn items on the belt, and look at them.

    Left out is what the detector finds to be several by its length, or sees as two.

    Args:
        photos: of the items.
        size: height and width of the model's input, px.
        seed: of what lies where.
    """
    views: list[np.ndarray] = []
    item_of: list[int] = []
    outlines: list[float] = []
    several: list[bool] = []
    for track, is_pair in _seen_as_one(photos, seed):
        if track.views and not track.evidence.mostly_touching:
            views += [model_input(view, size) for view in track.views]
            item_of += [len(outlines)] * len(track.views)
            outlines.append(score_of(np.median(track.figures, axis=0)))
            several.append(is_pair)
    return Laid(views, np.array(item_of), np.array(outlines), np.array(several))


def _seen_as_one(photos: Sequence[LabeledPhoto], seed: int) -> Iterator[tuple[Track, bool]]:
    """The tracks of what the detector sees as one item, and whether it is a pair."""
    single = min(MOST_SINGLE, len(photos) // 2)
    for lie in Lie:
        count = single if lie is Lie.SINGLE else single // 2
        for pieces, share in _sources(photos, seed):
            placed = groups(pieces, lie, max(1, round(count * share)), seed)
            for found in tracks(placed, seed, STEP_MM):
                if lie is Lie.SINGLE or len(found) == 1:
                    yield from ((track, lie is not Lie.SINGLE) for track in found)


def _sources(photos: Sequence[LabeledPhoto], seed: int) -> Iterator[tuple[Iterator[Piece], float]]:
    """Items without end, and their share."""
    yield segmented_pieces(photos, 180.0, seed, VIEW, sprite_side=SPRITE_SIDE), 0.5
    yield photo_pieces(photos, seed, VIEW), 0.25
    yield drawn_pieces(seed, VIEW), 0.25
