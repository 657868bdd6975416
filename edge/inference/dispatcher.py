"""From sightings to predictions: which view of which item the model classifies next."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.belt.sighting import Sighting
from edge.belt.tracker import TrackedItem
from edge.belt.view import View
from edge.errors import EwasteError
from edge.inference.classifier import Prediction
from edge.inference.worker import LONGEST_INFERENCE_S, Inference, Predicting

HOLD_S = 0.05
"""A further view waits so long for a better one before it is classified: two frames at 30 a second.
The first does not: what is not recorded yet is lost to the count when the power goes."""
MODEL_FAULTS = 5
"""A model that fails so many times in a row is of no use: the line ends and is started again."""
ITEMS_REMEMBERED = 200
"""More than can be between the forgetting distances of the tracker at once."""


class ModelFails(EwasteError):
    """The model failed at one view after the other."""


@dataclass(frozen=True)
class ModelAnswer:
    """The model's answer to one view of an item.

    Attributes:
        number: of the item.
        prediction: the model's answer; None when it failed.
        took_ms: time of the inference, ms.
    """

    number: int
    prediction: Prediction | None
    took_ms: float


@dataclass
class ItemViews:
    """The views of one item: those that wait, the one at the model, and the best so far.

    Attributes:
        item: where the item is.
        touching: it touches another item, so it is not classified.
        waiting: the best view since the last one that was classified.
        offered_at: when the first of the views was captured that `waiting` is the best of, s.
        at_work: the view that the model has.
        last: the newest view that the model has, or has had.
        unclassified: a view of an item that is not classified, for its record.
        best: the view with the most confident prediction.
        confidence: of that prediction, 0 to 1.
        answers: how many views were classified.
        settled: its views are enough; it waits for something else than a view.
        concluded: the item has its verdict; no further view is needed.
    """

    item: TrackedItem
    touching: bool = False
    waiting: View | None = None
    offered_at: float = 0.0
    at_work: View | None = None
    last: View | None = None
    unclassified: View | None = None
    best: View | None = None
    confidence: float = 0.0
    answers: int = 0
    settled: bool = False
    concluded: bool = False

    @property
    def picture(self) -> View | None:
        """The view to show and to recognize the item by."""
        return self.best or self.waiting or self.at_work or self.unclassified

    @property
    def in_work(self) -> bool:
        """Whether the model has, or will get, a view that it has not answered yet."""
        return self.waiting is not None or self.at_work is not None

    def wants_view(self, encoder_mm: float, spacing_mm: float) -> bool:
        """Whether the item has come far enough since its last classified view for another."""
        enough = self.last is None or abs(encoder_mm - self.last.encoder_mm) >= spacing_mm
        return not (self.concluded or self.settled) and enough

    def offer(self, view: View) -> None:
        """Keep a view if it is better than the one that waits."""
        if self.waiting is None:
            self.waiting, self.offered_at = view, view.captured_at
        elif view.quality > self.waiting.quality:
            self.waiting = view

    def ready(self, now: float) -> bool:
        """Whether a view can be classified; a further one first waits for a better one."""
        held = self.answers and now < self.offered_at + HOLD_S
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

    def answered(self, prediction: Prediction) -> None:
        """Take in the model's answer to the view at work."""
        confidence = float(prediction.probabilities.max())
        if not self.answers or confidence > self.confidence:
            self.best, self.confidence = self.at_work, confidence
        self.answers += 1
        self.at_work = None

    def failed(self) -> None:
        """Go on without the view at work: the model failed at it."""
        self.unclassified, self.at_work = self.at_work, None

    def settle(self) -> None:
        """Take no further view; the best one is kept."""
        if self.answers:
            self.waiting, self.settled = None, True

    def conclude(self) -> None:
        """Drop the pictures: the item has its verdict."""
        self.best = self.waiting = self.at_work = self.last = self.unclassified = None
        self.concluded = True


class Dispatcher:
    """Gives the model one view at a time, of the item whose verdict is needed first.

    Items without any prediction come before those that want a further one.

    Attributes:
        faults: how many times the model failed.
        hangs: the model has had a view for so long that it does not come back.
    """

    def __init__(
        self,
        inference: Inference,
        spacing_mm: float,
        now_mm: Callable[[], float],
        deadline_mm: Callable[[TrackedItem], float],
    ) -> None:
        """Start with no items.

        Args:
            inference: the model at work.
            spacing_mm: how far an item travels between two of its views, mm.
            now_mm: where the belt is now.
            deadline_mm: the reading by which an item's verdict must have fallen.
        """
        self._inference, self._spacing_mm = inference, spacing_mm
        self._now_mm, self._deadline_mm = now_mm, deadline_mm
        self._items: dict[int, ItemViews] = {}
        self._at_work: int | None = None
        self._begun_mm, self._begun_at, self._now = 0.0, 0.0, 0.0
        self.faults, self.hangs = 0, False
        self._faults_in_a_row = 0
        self._held = False
        self._classify_mm = 0.0  # what the belt moves during a prediction

    def offer(self, sightings: Iterable[Sighting]) -> None:
        """Take a view of each item that is whole and has come far enough since its last one."""
        for sighting in sightings:
            item = sighting.item
            views = self._items.setdefault(item.number, ItemViews(item))
            views.item, views.touching = item, sighting.touching
            classify = not (sighting.detection.touching or sighting.touching)
            due = views.wants_view(sighting.encoder_mm, self._spacing_mm)
            if not sighting.whole or not due or (not classify and views.picture):
                continue
            if classify:
                views.offer(sighting.view())
            else:
                views.unclassified = sighting.view()

    def dispatch(self, captured_at: float) -> list[ModelAnswer]:
        """Collect what the model has answered, and give it the most urgent view.

        Args:
            captured_at: of the newest frame, s.

        Raises:
            ModelFails: the model fails again and again.
        """
        self._now = captured_at
        answers = self._collect()
        if self._at_work is None and not self._held:
            ready = [
                views
                for views in self._items.values()
                if not views.concluded and not views.touching and views.ready(captured_at)
            ]
            if ready:
                answers += self._begin(min(ready, key=self._urgency))
                answers += self._collect()
        return answers

    def drain(self) -> list[ModelAnswer]:
        """Wait for the model, and classify every item that has a view but no prediction yet.

        Raises:
            ModelFails: the model fails again and again.
        """
        answers = self._collect(wait=True)
        for views in self._items.values():
            waits = not views.answers and views.in_work
            if not views.concluded and waits and not views.touching:
                answers += self._begin(views)
                answers += self._collect(wait=True)
        return answers

    def views_of(self, number: int) -> ItemViews | None:
        """The views of an item; None when it was never offered or is forgotten."""
        return self._items.get(number)

    def settle(self, number: int) -> None:
        """Take no further view of an item, which waits for its verdict all the same."""
        if number in self._items:
            self._items[number].settle()

    def conclude(self, number: int) -> None:
        """Take no further view of an item: it has its verdict."""
        if number in self._items:
            self._items[number].conclude()
        # An item that has left may come back with the belt, and must not be decided twice.
        for old in sorted(self._items)[:-ITEMS_REMEMBERED]:
            del self._items[old]

    @property
    def is_idle(self) -> bool:
        """Whether the model works at no view."""
        return self._at_work is None

    def hold(self) -> None:
        """Give the model no further view until it is exchanged."""
        self._held = True

    def exchange(self, classifier: Predicting) -> None:
        """Go on with another model, which gets the views that wait; `is_idle` must hold."""
        self._inference.exchange(classifier)
        self._held, self._faults_in_a_row = False, 0

    def close(self) -> None:
        """Give up what is at work; safe to call twice."""
        self._inference.close()

    def _urgency(self, views: ItemViews) -> tuple[bool, bool, float]:
        """What comes first is classified first; what is too late for it waits for the others."""
        deadline_mm = self._deadline_mm(views.item)
        too_late = self._now_mm() + self._classify_mm > deadline_mm
        return too_late, bool(views.answers), deadline_mm

    def _begin(self, views: ItemViews) -> list[ModelAnswer]:
        self._at_work, self._begun_mm = views.item.number, self._now_mm()
        self._begun_at = self._now
        view = views.take()
        try:
            self._inference.start(view.pixels)
        except Exception as error:  # of a model that works in this thread
            return self._failed(error)
        return []

    def _collect(self, wait: bool = False) -> list[ModelAnswer]:
        if self._at_work is None:
            return []
        try:
            answer = self._inference.wait() if wait else self._inference.answer()
        except Exception as error:  # whatever a runtime raises
            return self._failed(error)
        # Judged only here: while the camera is away nobody asks for an answer.
        self.hangs = answer is None and self._now - self._begun_at > LONGEST_INFERENCE_S
        if answer is None:
            return []
        self._faults_in_a_row = 0
        prediction, took_ms = answer
        number, self._at_work = self._at_work, None
        views = self._items.get(number)
        if views is not None and views.at_work is not None:
            views.answered(prediction)
        self._classify_mm = max(0.0, self._now_mm() - self._begun_mm)
        return [ModelAnswer(number, prediction, took_ms)]

    def _failed(self, error: Exception) -> list[ModelAnswer]:
        """Go on without the view that the model failed at; without another the item is manual."""
        number, self._at_work = self._at_work, None
        self.hangs = False
        self.faults += 1
        self._faults_in_a_row += 1
        if self._faults_in_a_row >= MODEL_FAULTS:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelFails(f"the model fails again and again ({reason})") from error
        if number is None:
            return []
        if number in self._items:
            self._items[number].failed()
        return [ModelAnswer(number, None, 0.0)]
