"""What other sensors say of an item: evidence that can never decide alone, nor clear a hazard.

A sensor beside the belt finds a class of the model, such as Battery, or a hazard of its own, such
as a battery inside a device, which no picture shows. Its answer weighs by its likelihood ratio:
`found / false_alarms` if it found something, `(1 - found) / (1 - false_alarms)` if it did not
(Good, "Probability and the Weighing of Evidence", 1950).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from edge.belt.tracker import TrackedItem
from edge.decision.size import LEAST_WEIGHT

MOST_LOG_RATIO = -math.log(LEAST_WEIGHT)
"""All sensors together change the odds of a hazard by a factor of 10 at most, as sizes do."""


class SensorFinding(str, Enum):
    """What one sensor has to say of one item."""

    FOUND = "found"
    CLEAR = "clear"
    SUSPECT = "suspect"
    """It found something, but late, or on two items at once, or it also found nothing."""
    NONE = "none"
    """No answer, or none that can be trusted."""
    SILENT = "silent"
    """No answer, and no sign of life."""


ANSWERED = (SensorFinding.FOUND, SensorFinding.CLEAR)
POSITIVE = (SensorFinding.FOUND, SensorFinding.SUSPECT)


@dataclass(frozen=True)
class SensorAnswer:
    """What one sensor says of one item.

    Attributes:
        sensor: its name.
        finding: what it found.
        certainty: how sure it is, 0 (its answer counts nothing) to 1.
        value: what it measured; None: it only says yes or no.
    """

    sensor: str
    finding: SensorFinding
    certainty: float = 1.0
    value: float | None = None

    @property
    def in_words(self) -> str:
        """For the person at the line."""
        value = "" if self.value is None else f" {self.value:.3g}"
        return f"{self.sensor}: {self.finding.value}{value}"


@dataclass(frozen=True)
class SensorRule:
    """What the answers of one sensor mean.

    Attributes:
        name: of the sensor.
        finds: a label of the model; or a hazard of its own, if `inside` names labels.
        inside: the labels whose items may hold that hazard; empty: `finds` is a label.
        guards: the labels whose items go to `manual` without its answer; empty: none do.
        found: how often it finds what is there, above 0 and below 1.
        false_alarms: how often it finds what is not there, likewise, less than `found`.
        share: of the items of `inside`, how many hold the hazard, 0 to 1.
        threshold: the probability of the hazard from which an item is kept from its bin.
        bin: where such an item goes; None: `manual`.
    """

    name: str
    finds: str
    found: float
    false_alarms: float
    inside: tuple[str, ...] = ()
    guards: frozenset[str] = frozenset()
    share: float = 0.5
    threshold: float = 0.3
    bin: str | None = None

    def log_ratio(self, answer: SensorAnswer, *, doubtful: bool = False) -> float:
        """Natural logarithm of the likelihood ratio of an answer, weighed by its certainty.

        `doubtful`: what it found under doubtful circumstances counts too.
        """
        if answer.finding is SensorFinding.FOUND or (
            doubtful and answer.finding is SensorFinding.SUSPECT
        ):
            return answer.certainty * math.log(self.found / self.false_alarms)
        if answer.finding is SensorFinding.CLEAR:
            return answer.certainty * math.log((1 - self.found) / (1 - self.false_alarms))
        return 0.0


@dataclass(frozen=True)
class HiddenHazard:
    """A hazard that an item may hold inside.

    Attributes:
        text: its name, its probability, and who says so, for the person at the line.
        bin: where the item goes; None: `manual`.
        found: a sensor has found it; else it is only as frequent as that.
    """

    text: str
    bin: str | None
    found: bool


class Sensing(Protocol):
    """The other sensors of a line; no method waits."""

    def listen(self) -> None:
        """Take in what they report since the last call."""

    def heard_of(self, item: TrackedItem) -> bool:
        """Whether each sensor has had its time to answer for an item."""

    def answers(self, item: TrackedItem, items: Sequence[TrackedItem]) -> tuple[SensorAnswer, ...]:
        """What each sensor says of an item; `items` are all that are known on the belt."""


class NoSensing:
    """A line without other sensors."""

    def listen(self) -> None:
        """Do nothing."""

    def heard_of(self, item: TrackedItem) -> bool:
        """There is nothing to wait for."""
        return True

    def answers(self, item: TrackedItem, items: Sequence[TrackedItem]) -> tuple[SensorAnswer, ...]:
        """Nobody says anything."""
        return ()


def sensor_weights(
    answers: Sequence[SensorAnswer],
    rules: Sequence[SensorRule],
    labels: Sequence[str],
    *,
    doubtful: bool = False,
) -> np.ndarray:
    """How well the answers fit each class, float64 [classes], from the floor to 1.

    The likelihood ratios of independent sensors that find the same class are multiplied. Each is
    put beside the highest of any class, and none counts less than the floor of a size
    (`edge.decision.size.size_weights`).
    """
    weights = np.ones(len(labels))
    if len(labels) < 2:
        return weights
    given = {answer.sensor: answer for answer in answers}
    logs = dict.fromkeys(labels, 0.0)
    for rule in rules:
        if not rule.inside and rule.finds in logs and rule.name in given:
            logs[rule.finds] += rule.log_ratio(given[rule.name], doubtful=doubtful)
    exponents = np.array([logs[label] for label in labels])
    weights = np.exp(exponents - exponents.max())
    return np.maximum(weights, max(LEAST_WEIGHT, 1 / (len(labels) - 1)))


def hidden_hazards(
    answers: Sequence[SensorAnswer],
    rules: Sequence[SensorRule],
    label: str,
    probabilities: Mapping[str, float],
) -> list[HiddenHazard]:
    """The hazards of their own that an item may hold, each over its threshold.

    The probability is `q r / (q r + 1 - q)`, with `q` the share of such items that hold it and `r`
    the likelihood ratio of the answers (Bayes' rule), times the probability that the item is of a
    class that may hold it: 1 if that is its label. Without an answer it is the share.

    Args:
        answers: of the sensors.
        rules: what they mean.
        label: the item's most likely class.
        probabilities: class -> how likely it is, by whoever says most.
    """
    found = []
    for hazard in dict.fromkeys(rule.finds for rule in rules if rule.inside):
        of_it = [rule for rule in rules if rule.inside and rule.finds == hazard]
        given = [(rule, each) for rule in of_it for each in answers if each.sensor == rule.name]
        total = sum(rule.log_ratio(each, doubtful=True) for rule, each in given)
        ratio = math.exp(min(MOST_LOG_RATIO, max(-MOST_LOG_RATIO, total)))
        first = of_it[0]
        odds = first.share * ratio
        inside = odds / (odds + 1 - first.share)
        holders = sum(probabilities.get(each, 0.0) for each in first.inside)
        probability = inside * (1.0 if label in first.inside else min(1.0, holders))
        if probability >= first.threshold:
            by = ", ".join(each.in_words for _, each in given) or "no sensor"
            text = f"{hazard} {100 * probability:.2g}% ({by})"
            positive = any(each.finding in POSITIVE for _, each in given)
            found.append(HiddenHazard(text, first.bin, positive))
    return found


def missing_answers(
    answers: Sequence[SensorAnswer], rules: Iterable[SensorRule], label: str
) -> list[str]:
    """The sensors without whose answer an item of this label is not sorted, in words."""
    given = {answer.sensor: answer.finding for answer in answers}
    return [
        f"{rule.name} ({given.get(rule.name, SensorFinding.NONE).value})"
        for rule in rules
        if label in rule.guards and given.get(rule.name) not in ANSWERED
    ]


def written(answers: Iterable[SensorAnswer]) -> str:
    """The answers as a record keeps them: `xray=found:0.93@0.9; metal=none`."""
    texts = []
    for each in answers:
        value = "" if each.value is None else f":{each.value:.6g}"
        certainty = "" if each.certainty == 1 else f"@{each.certainty:.3g}"
        texts.append(f"{each.sensor}={each.finding.value}{value}{certainty}")
    return "; ".join(texts)


def finding_in(text: str, sensor: str) -> SensorFinding | None:
    """What a record says that one sensor found; None: it says nothing of it."""
    for part in text.split("; "):
        name, _, rest = part.partition("=")
        word = rest.partition("@")[0].partition(":")[0]
        if name == sensor and word in {each.value for each in SensorFinding}:
            return SensorFinding(word)
    return None
