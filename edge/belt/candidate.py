"""An item on its way to a verdict: its best views, what the model said of them, and its track."""

from dataclasses import dataclass, field

from edge.belt.detector import Detection
from edge.belt.touching import multi_object_score
from edge.belt.tracker import TrackedItem
from edge.belt.view import View
from edge.decision.decide import Verdict
from edge.inference.classifier import Prediction

OUTLINES = 2
"""How many outlines of an item are looked at."""
HOLD_S = 0.05
"""A further view waits so long for a better one before it is classified: two frames at 30 a second.
The first does not: what is not recorded yet is lost to the count when the power goes."""


@dataclass
class Candidate:
    """An item on the belt that has no verdict yet, or whose verdict is shown.

    Attributes:
        item: where it is.
        waiting: its best view since the last one that was classified.
        offered_at: when the first of the views was taken that `waiting` is the best of, s.
        at_work: the view that the model has.
        last: the newest view that the model has, or has had.
        unasked: a view of what is not classified, since it touches another item.
        predictions: what the model said.
        best: the view with the most confident prediction.
        classify_ms: what its predictions took.
        sightings, touching_sightings: how often it was seen, and how often beside a known item or
            longer than an item can be.
        multi_object_score: what its outlines looked like (`edge.belt.touching`), each more than one
            object when over 0.
        left: its leading end has left the view: there are no more whole views, as long as the belt
            does not jog back.
        failed: the model has failed at a view of it.
        settled: what its predictions say, once they are enough for a verdict.
        verdict: None while it is undecided.
    """

    item: TrackedItem
    waiting: View | None = None
    offered_at: float = 0.0
    at_work: View | None = None
    last: View | None = None
    unasked: View | None = None
    predictions: list[Prediction] = field(default_factory=list)
    best: View | None = None
    classify_ms: float = 0.0
    sightings: int = 0
    touching_sightings: int = 0
    multi_object_scores: list[float] = field(default_factory=list)
    left: bool = False
    failed: bool = False
    settled: Verdict | None = None
    verdict: Verdict | None = None

    @property
    def touching(self) -> bool:
        """Most sightings showed more than this one item, or its outlines look like more."""
        seen_so = 2 * self.touching_sightings > self.sightings
        return seen_so or sum(self.multi_object_scores) > 0

    def sighted(self, detection: Detection) -> None:
        """Take in one sighting. A few outlines tell as much as all: the item does not change."""
        self.sightings += 1
        self.touching_sightings += detection.touching
        judged = self.verdict is not None or len(self.multi_object_scores) >= OUTLINES
        if detection.outline is not None and detection.whole and not judged:
            self.multi_object_scores.append(multi_object_score(detection.outline))

    @property
    def picture(self) -> View | None:
        """The view to show and to recognize it by: what the model was surest of, else any."""
        return self.best or self.waiting or self.at_work or self.unasked

    @property
    def in_work(self) -> bool:
        """The model has, or will have, a view of it that it has not said anything of."""
        return self.waiting is not None or self.at_work is not None

    @property
    def unclassified(self) -> bool:
        """It has shown itself, but the model has said nothing of it yet."""
        return not self.predictions and self.in_work

    def wants_view(self, encoder_mm: float, spacing_mm: float) -> bool:
        """Whether it has come far enough since its last classified view to offer another."""
        enough = self.last is None or abs(encoder_mm - self.last.encoder_mm) >= spacing_mm
        return self.verdict is None and enough

    def offer(self, view: View) -> None:
        """Keep a view if it is better than the one that waits."""
        if self.waiting is None:
            self.waiting, self.offered_at = view, view.captured_at
        elif view.quality > self.waiting.quality:
            self.waiting = view

    def ready(self, now: float) -> bool:
        """Whether it has a view to classify; a further one has waited for a better one."""
        held = self.predictions and now < self.offered_at + HOLD_S
        return self.waiting is not None and not held

    def take(self) -> View:
        """The waiting view, for the model to work at.

        Raises:
            ValueError: no view is waiting.
        """
        if self.waiting is None:
            raise ValueError("no view is waiting")
        self.at_work = self.last = self.waiting
        self.waiting = None
        return self.at_work

    def classified(self, prediction: Prediction, took_ms: float) -> None:
        """Take in what the model says of the view that was taken."""
        confidence = prediction.probabilities.max()
        if all(confidence > other.probabilities.max() for other in self.predictions):
            self.best = self.at_work
        self.predictions.append(prediction)
        self.classify_ms += took_ms
        self.at_work = None

    def forget_views(self) -> None:
        """Let go of the pictures once there is a verdict."""
        self.best = self.waiting = self.at_work = self.last = self.unasked = None
        self.predictions.clear()
