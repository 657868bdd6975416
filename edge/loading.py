"""What a line decides by: a bundle that was proved, with what was learned beside it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from edge.bundle.bundle import Bundle
from edge.bundle.history import Standing
from edge.bundle.install import number_of
from edge.bundle.window import may_exchange, parse_window
from edge.config import Config, decision_rules, longest_item_mm, proved_bundle
from edge.decision.decider import Decider
from edge.errors import EwasteError, one_line
from edge.followed_store import LONGEST_REASON, bundles_of
from edge.inference.classifier import Classifier
from edge.learned.adapted import adapt, check_base
from edge.learned.store import Generation, current_generation
from edge.records.record import ItemRecord
from edge.records.review import reviewer
from edge.standstill import BeltRest

log = logging.getLogger(__name__)

Proved = tuple[Bundle, Classifier]


@dataclass(frozen=True)
class Loaded:
    """A bundle that was proved and is ready to decide, with what was learned beside it.

    Attributes:
        bundle: it.
        decider: its model and rules.
        review: why a person should review an item by its thresholds; empty: no review is needed.
        classifier: its model, without what was learned.
        generation: what was learned; None: nothing, or it cannot be used.
        unused: why what was learned is not used, one line; empty: it is, or there is nothing.
    """

    bundle: Bundle
    decider: Decider
    review: Callable[[ItemRecord], str]
    classifier: Classifier
    generation: Generation | None = None
    unused: str = ""

    @property
    def hazards(self) -> tuple[str, ...]:
        """The labels that must never reach another label's bin."""
        return tuple(self.decider.rules.hazard_thresholds)

    @property
    def in_words(self) -> str:
        """What it is, for the log."""
        name = f"the bundle {self.bundle.manifest.name}"
        if self.generation is None:
            return name
        return f"{name} with generation {self.generation.number} of what was learned"

    def has_bundle_of(self, other: "Loaded") -> bool:
        """Whether both are of one bundle, whatever was learned beside it."""
        return self.bundle.digest == other.bundle.digest

    def decides_as(self, other: "Loaded") -> bool:
        """Whether both are of one bundle and of one generation, or of none."""
        return self.has_bundle_of(other) and self.decider.bundle == other.decider.bundle


def loaded(config: Config, proved: Proved) -> Loaded:
    """A proved bundle with the rules of the configuration, and what was learned beside it.

    What was learned beside another bundle, or cannot be proved, is left out.

    Raises:
        BadInput: the bundle does not fit the configuration.
    """
    try:
        generation = current_generation(config.learned)
        if generation is not None:
            check_base(generation, proved[0])
        return _loaded_with(config, proved, generation)
    except EwasteError as error:
        without = _loaded_with(config, proved, None)
        unused = f"what was learned is not used: {one_line(error, LONGEST_REASON)}"
        return replace(without, unused=unused)


def _loaded_with(config: Config, proved: Proved, generation: Generation | None) -> Loaded:
    bundle, classifier = proved
    found = adapt(bundle, classifier, generation, partial(decision_rules, config, bundle))
    rules = found.rules
    return Loaded(
        bundle,
        Decider(found.digest, found.classifier, rules, longest_item_mm(config, rules)),
        reviewer(rules.thresholds, config.records.review_margin, config.records.review_share),
        classifier,
        generation,
    )


def bundle_at_start(config: Config) -> Proved:
    """The bundle of a line that starts; one on probation that cannot be used is rolled back.

    One that already waited for this line to exchange it does so still: nobody knows yet whether the
    belt stands. Then it is the one before it.

    Raises:
        BadInput: there is no bundle, or it does not fit the configuration.
        Refused: it cannot be proved.
    """
    if (before_it := _before_one_that_waits(config, time.time())) is not None:
        return before_it
    try:
        proved = proved_bundle(config)
        decision_rules(config, proved[0])
    except EwasteError as error:
        if not _has_gone_back(config, f"cannot be used: {error}"):
            raise
        return proved_bundle(config)
    return proved


def _has_gone_back(config: Config, why: str) -> bool:
    """Leave the bundle in use if it is on probation; whether the one before it is in use now."""
    store = bundles_of(config)
    entry = store.entry()
    if entry is None or entry.standing is not Standing.ON_PROBATION:
        return False
    try:
        before = store.go_back(one_line(why, LONGEST_REASON), None, time.time())
    except EwasteError as failure:
        log.warning("no way back to the bundle before: %s", failure)
        return False
    log.error(f"{store.full_name(entry)} was rolled back to {before}: {why}")
    return True


def _before_one_that_waits(config: Config, now: float) -> Proved | None:
    """The bundle before the one in use, where that still waits; None: it does not, or none is."""
    entry = bundles_of(config).entry()
    if entry is None or not entry.has_waited or entry.at_once or entry.began_at:
        return None
    if may_exchange(parse_window(config.update.window), BeltRest.NOT_MEASURED, now):
        return None
    try:
        number = number_of(config.bundles, entry.before)
        if number is None:
            return None
        proved = proved_bundle(config, path=config.bundles / str(number))
        decision_rules(config, proved[0])
    except EwasteError as error:
        log.warning("no way to start with the bundle before %s: %s", entry.name, error)
        return None
    return proved
