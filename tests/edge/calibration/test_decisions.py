import numpy as np

from edge.bundle.manifest import DecisionParameters
from edge.calibration.answers import Answers
from edge.calibration.decisions import judge_decisions
from edge.decision.decide import rules_for

LABELS = ("Battery", "Mouse", "PCB")


def test_decisions_are_counted_as_the_device_makes_them():
    chances = np.array(
        [
            [0.9, 0.05, 0.05],  # Battery, so called
            [0.2, 0.8, 0.0],  # Battery, suspected
            [0.04, 0.96, 0.0],  # Battery, let through
            [0.3, 0.0, 0.7],  # PCB, suspected
            [0.0, 0.0, 1.0],  # PCB
            [0.0, 0.45, 0.55],  # Mouse, unsure
            [0.8, 0.2, 0.0],  # Mouse, in the batteries' bin
        ]
    )
    answers = Answers(np.log(chances + 1e-9), np.ones((7, 4)))
    parameters = DecisionParameters(labels=LABELS, hazards=("Battery",), threshold=0.6)
    rules = rules_for(parameters, {}, None)
    judged = judge_decisions(answers, np.array([0, 0, 0, 2, 2, 1, 1]), 1.0, rules)
    counts = {name: judged[name]["count"] for name in ("right", "wrong", "manual", "unknown")}
    assert counts == {"right": 2, "wrong": 2, "manual": 3, "unknown": 1}
    battery = judged["hazards"]["Battery"]
    assert (battery["labeled"], battery["recall"]["count"], battery["recall"]["of"]) == (1, 2, 3)
    assert battery["safe"]["count"] == 2 and battery["precision"]["share"] == 0.5
    assert (battery["suspected"]["count"], battery["suspected"]["of"]) == (1, 4)
