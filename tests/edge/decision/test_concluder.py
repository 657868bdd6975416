import math
from dataclasses import replace

import numpy as np
import pytest

from edge.belt.detector import Detection
from edge.belt.geometry import Box
from edge.belt.sighting import Sighting
from edge.belt.tracker import Extent, TrackedItem
from edge.cameras.camera import Frame
from edge.decision.concluder import Circumstances, Concluder
from edge.decision.decide import DecisionRules
from edge.decision.sensing import SensorAnswer, SensorFinding, SensorRule
from edge.decision.voting import Voting
from edge.gates.mover import Passed
from edge.gates.schedule import Opening
from edge.inference.classifier import Prediction
from edge.inference.dispatcher import ModelAnswer
from edge.inference.embedding_code import embedding_code
from edge.inference.ood import OodRule
from edge.inference.touching import TouchingRule
from edge.labels import MANUAL, UNKNOWN
from edge.verdict import Reason, Unsafe

RULES = DecisionRules(
    labels=("Mouse", "Phone"),
    bins={"Mouse": "small", "Phone": "phones"},
    thresholds={"Mouse": 0.5, "Phone": 0.5},
    hazard_thresholds={},
)
OUTLINES = ((1, -0.1), (2, 0.1))
"""Numbers of items, and the scores of their outlines, by which the observer took both for one."""
FRAME = Frame(np.zeros((72, 128, 3), np.uint8), 0.0, 0)


def item(number: int) -> TrackedItem:
    along = Extent(-50, 50, low_seen=True, high_seen=True)
    return TrackedItem(number, along, along, 0.0, 0.0, 2, along, 0.0)


def sighting(number: int, touching: bool = False) -> Sighting:
    box = Box(10, 10, 60, 60)
    return Sighting(
        item=item(number),
        detection=Detection(box, True, touching),
        frame=FRAME,
        encoder_mm=0.0,
        box=box,
        whole=True,
        touching=touching,
    )


def answer(number: int, mouse: float | None = 0.9) -> ModelAnswer:
    if mouse is None:
        return ModelAnswer(number, None, 5.0)
    probabilities = np.array([mouse, 1 - mouse], np.float32)
    embedding = np.array([mouse, 0, 0, 1], np.float32)
    prediction = Prediction(np.log(probabilities), probabilities, embedding)
    return ModelAnswer(number, prediction, 5.0)


def concluder(views: int = 2, rules: DecisionRules = RULES) -> Concluder:
    voting = Voting(views=views, spacing_mm=50)
    return Concluder(rules=rules, voting=voting, bundle="digest", session="run")


def test_an_item_is_more_than_one_by_its_views_and_its_outline_together():
    """The answers of `answer` have their first feature as their probability of a mouse."""
    rule = TouchingRule(
        center=np.zeros(4, np.float32),
        direction=np.array([1, 0, 0, 0], np.float32),
        by_embedding=1.0,
        by_outline=1.0,
        intercept=-1.0,
        certain=3.0,
    )
    rules = replace(RULES, touching=rule)
    assert (RULES.certainly_several, rules.certainly_several) == (0.0, 3.0)
    for outline_score, reason in (
        (0.2, Reason.SORTED),
        (0.5, Reason.TOUCHING),
        (None, Reason.SORTED),
    ):
        line = concluder(views=1, rules=rules)
        line.sighted([replace(sighting(1), outline_score=outline_score)])
        line.answered([answer(1)])
        (evidence,) = due(line)
        assert line.verdict(evidence).reason is reason


def test_an_item_in_view_as_the_rules_are_exchanged_is_judged_by_the_next_ones():
    line = concluder(views=1)
    line.sighted([replace(sighting(number), outline_score=score) for number, score in OUTLINES])
    line.answered([answer(number) for number, _ in OUTLINES])
    found = {each.item.number: line.verdict(each).reason for each in due(line)}
    assert found == {1: Reason.SORTED, 2: Reason.TOUCHING}


def due(line: Concluder, by_mm: float = 0.0, unanswered: bool = False):
    return line.due(
        by_mm=by_mm, deadline_mm=lambda item: 400.0, unanswered=lambda number: unanswered
    )


def circumstances(
    opening: Opening = Opening.PLANNED, unsafe: Unsafe | None = None, unanswered: bool = False
) -> Circumstances:
    return Circumstances(
        decided_at=1000.0,
        opening=opening,
        unsafe=unsafe,
        unanswered=unanswered,
        detect_ms=3.0,
        verdict_ms=40.0,
        crop=b"crop",
    )


def test_an_item_is_due_once_its_views_are_enough_and_then_decided_for_good():
    line = concluder(views=2)
    line.sighted([sighting(1)])
    line.answered([answer(1)])
    assert due(line) == []
    line.answered([answer(1)])
    (evidence,) = due(line)
    verdict = line.verdict(evidence)
    assert (verdict.label, verdict.bin, verdict.reason) == ("Mouse", "small", Reason.SORTED)
    record = line.record(evidence, verdict, circumstances())
    assert (record.item_id, record.bin, record.views) == ("run-000001", "small", 2)
    assert (record.classify_ms, record.top_label, record.crop) == (10.0, "Mouse", b"crop")
    assert record.code == embedding_code(np.array([0.9, 0, 0, 1], np.float32))
    line.answered([answer(1, mouse=0.01)])
    assert due(line, by_mm=math.inf) == [] and line.verdict_of(1) == verdict


def test_an_item_waits_for_other_sensors_but_not_beyond_its_deadline():
    rule = SensorRule("xray", "battery inside", 0.91, 0.06, inside=("Phone", "Mouse"))
    rules, voting = replace(RULES, sensors=(rule,)), Voting(views=1, spacing_mm=50)
    line = Concluder(rules=rules, voting=voting, bundle="digest", session="run")
    line.sighted([sighting(1)])
    line.answered([answer(1)])

    def due_at(by_mm: float, is_heard: bool) -> list:
        asked = {"deadline_mm": lambda item: 400.0, "unanswered": lambda number: False}
        return line.due(by_mm=by_mm, heard_of=lambda item: is_heard, **asked)

    assert due_at(0.0, is_heard=False) == []
    line.answered([answer(1, mouse=0.1)])  # one view was enough, and stays so
    (evidence,) = due_at(0.0, is_heard=True)
    assert due_at(400.0, is_heard=False) == [evidence]
    evidence.answers = (SensorAnswer("xray", SensorFinding.CLEAR, 0.9),)
    verdict = line.verdict(evidence)
    record = line.record(evidence, verdict, circumstances())
    assert (record.label, record.bin, record.sensors) == ("Mouse", "small", "xray=clear@0.9")
    evidence.answers = ()
    assert line.verdict(evidence).reason is Reason.NO_VIEW, "its predictions are gone"


class FirstFeature:
    """A detector that scores by the first feature, and keeps what it was asked."""

    rule = OodRule(score="neighbors", threshold=0.5)

    def __init__(self) -> None:
        self.scores: list[float] = []

    def score(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        self.scores += embeddings[:, 0].tolist()
        return embeddings[:, 0]


def test_the_likeness_of_the_same_views_is_worked_out_once():
    detector = FirstFeature()
    rules, voting = replace(RULES, ood_detector=detector), Voting(views=2, spacing_mm=50)
    line = Concluder(rules=rules, voting=voting, bundle="digest", session="run")
    line.sighted([sighting(1)])
    line.answered([answer(1, mouse=0.6)])
    (evidence,) = line.undecided()
    assert line.verdict(evidence) == line.verdict(evidence)
    line.answered([answer(1, mouse=0.8)])
    record = line.record(evidence, line.verdict(evidence), circumstances())
    assert detector.scores == pytest.approx([0.6, 0.7]) and record.likeness == pytest.approx(0.7)


def test_an_item_that_has_left_waits_for_the_model_but_not_beyond_its_deadline():
    line = concluder()
    line.sighted([sighting(1)])
    line.left([item(1)])
    assert due(line, unanswered=True) == []
    assert len(due(line, unanswered=False)) == 1
    (evidence,) = due(line, by_mm=400.0, unanswered=True)
    record = line.record(evidence, line.verdict(evidence), circumstances(unanswered=True))
    assert (record.bin, record.reason, record.late) == (MANUAL, Reason.NOT_CLASSIFIED, True)


@pytest.mark.parametrize(
    ("touching", "mouse", "reason"),
    [(True, 0.9, Reason.TOUCHING), (False, None, Reason.MODEL_FAULT)],
)
def test_what_touches_or_cannot_be_classified_goes_to_manual(touching, mouse, reason):
    line = concluder()
    line.sighted([sighting(1, touching)])
    line.answered([answer(1, mouse)])
    line.left([item(1)])
    (evidence,) = due(line)
    verdict = line.verdict(evidence)
    assert (verdict.label, verdict.bin, verdict.reason) == (UNKNOWN, MANUAL, reason)


@pytest.mark.parametrize(
    ("opening", "reason", "late"),
    [
        (Opening.LATE, Reason.TOO_LATE, True),
        (Opening.BESIDE, Reason.NEIGHBOR_TOO_NEAR, False),
        (Opening.UNSEEN, Reason.NOT_SEEN_WHOLE, False),
        (Opening.NO_GATE, Reason.NO_GATE, False),
    ],
)
def test_an_item_for_which_no_gate_opens_is_recorded_as_manual(opening, reason, late):
    line = concluder(views=1)
    line.sighted([sighting(1)])
    line.answered([answer(1)])
    (evidence,) = due(line)
    record = line.record(evidence, line.verdict(evidence), circumstances(opening))
    assert (record.label, record.bin, record.reason, record.late) == ("Mouse", MANUAL, reason, late)
    assert line.rerouted([Passed("run-000001", was_open=False)]) == []


def test_an_item_that_found_its_gate_closed_is_recorded_anew_and_only_once():
    line = concluder(views=1)
    line.sighted([sighting(1), sighting(2)])
    line.answered([answer(1), answer(2)])
    for evidence in due(line):
        line.record(evidence, line.verdict(evidence), circumstances())
    passed = [Passed("run-000001", was_open=False), Passed("run-000002", was_open=True)]
    ((bin_name, record),) = line.rerouted(passed)
    assert (bin_name, record.item_id, record.bin) == ("small", "run-000001", MANUAL)
    assert record.reason is Reason.GATE_CLOSED and record.crop == b""
    assert line.rerouted(passed) == []


def test_an_item_that_the_run_before_recorded_gets_no_second_record():
    line = concluder(views=1)
    line.sighted([sighting(1)])
    (evidence,) = line.undecided()
    line.recalled(evidence)
    line.answered([answer(1)])
    assert line.undecided() == [] and due(line, by_mm=math.inf) == []
    assert line.verdict_of(1).reason is Reason.COUNTED_BEFORE
