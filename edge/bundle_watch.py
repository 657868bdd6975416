"""The bundle of a running line: the one that is installed, and its probation.

A thread beside the line looks at what is in use in the store. Another bundle is proved and loaded
beside the one that decides. Once it has answered on this machine, the loop takes it between two
items (`edge.conveyor`): while the belt stands, in the update window, or at once if a person asks
for that (`edge.bundle.window`). A new bundle is on probation: what its first items come to is
compared with the last ones of the bundle before it (`edge.probation`), and if it does worse, the
store goes back to that one, which the line takes at once.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge.bundle.bundle import Bundle
from edge.bundle.history import InstallEntry, Standing, ended, read_history
from edge.bundle.install import current_number, identity, note, number_of, roll_back
from edge.bundle.window import may_exchange, parse_window, waits_until
from edge.config import Config, decision_rules, longest_item_mm, name_notes, proved_bundle
from edge.decision.decider import Decider
from edge.errors import EwasteError, one_line
from edge.inference.classifier import Classifier
from edge.probation import (
    LEAST_ITEMS,
    LOOKS,
    ItemSample,
    find_worse,
    first_items,
    last_items,
    looks_due,
)
from edge.records.record import ItemRecord
from edge.records.review import reviewer
from edge.records.store import RECORDS_NAME, Store
from edge.standstill import BeltRest
from edge.worker import Worker

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
JUDGE_SECONDS = 5.0
"""Time between two looks at the records of a bundle on probation, s."""
RETRY_SECONDS = 60.0
"""Time until a roll back that failed is tried again, s: each proves the bundle before it."""
NICENESS = 10
"""How far the trial of another bundle stands back for the line that is at work."""
LONGEST_REASON = 240
HOUR_S = 3600.0

Proved = tuple[Bundle, Classifier]


@dataclass(frozen=True)
class Loaded:
    """A bundle that was proved and is ready to decide.

    Attributes:
        bundle: it.
        decider: its model and rules.
        review: why a person should review an item by its thresholds; empty: no review is needed.
    """

    bundle: Bundle
    decider: Decider
    review: Callable[[ItemRecord], str]


def loaded(config: Config, proved: Proved) -> Loaded:
    """A proved bundle with the rules of the configuration.

    Raises:
        BadInput: the bundle does not fit the configuration.
    """
    bundle, classifier = proved
    rules = decision_rules(config, bundle)
    return Loaded(
        bundle,
        Decider(bundle.digest, classifier, rules, longest_item_mm(config, rules)),
        reviewer(rules.thresholds, config.records.review_margin, config.records.review_share),
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
        entry = _entry_in_use(config)
        if entry is None or entry.standing is not Standing.ON_PROBATION:
            raise
        try:
            before = _go_back(config, f"cannot be used: {error}")
        except EwasteError as failure:
            log.warning("no way back to the bundle before: %s", failure)
            raise error from None
        log.error(_rolled_back(entry.name, f"cannot be used: {error}", before))
        return proved_bundle(config)
    return proved


def _before_one_that_waits(config: Config, now: float) -> Proved | None:
    """The bundle before the one in use, where that still waits; None: it does not, or none is."""
    entry = _entry_in_use(config)
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


class BundleWatch(Worker):
    """Follows what is installed beside a line, and judges what is on probation.

    Attributes:
        bundle: what decides.
        error: what is wrong with a bundle that was installed since the start; None: nothing.
    """

    def __init__(self, config: Config, first: Loaded, seen: tuple[int, ...] | None) -> None:
        """Start to watch.

        Args:
            config: of the line.
            first: what decides at the start.
            seen: `identity` of the bundle in use before it was read.
        """
        super().__init__("bundles")
        entry = _entry_in_use(config)
        waits = entry is not None and entry.has_waited and entry.digest != first.bundle.digest
        self._config, self._seen = config, None if waits else seen
        self.bundle, self.review = first.bundle, first.review
        self.error: str | None = None
        self._window = parse_window(config.update.window)
        self._handing = threading.Lock()
        self._ready: Loaded | None = None
        self._at_once = self._has_waited = False
        self._entry: InstallEntry | None = None
        self._entry_known = False
        self._looks, self._judged_at, self._not_before = 0, 0.0, 0.0
        self._failure = ""
        if config.follows_installs:
            self._start()

    @property
    def waiting(self) -> str:
        """Digest of the bundle that is ready and waits to be taken; empty: none does."""
        ready = self._ready
        return "" if ready is None else ready.bundle.digest

    def take(self, rest: BeltRest, now: float | None = None) -> Decider | None:
        """What is to decide from now on, once; None: nothing new. The loop asks; returns at once.

        The loop does not refuse it.

        Args:
            rest: whether the belt stands.
            now: unix seconds; None: by the clock of the system.
        """
        if self._ready is None:
            return None
        with self._handing:
            ready = self._ready
            now = time.time() if now is None else now
            if ready is None:
                return None
            if not (self._at_once or may_exchange(self._window, rest, now)):
                self._tell_wait(ready, rest)
                return None
            self._ready = None
            self.bundle, self.review = ready.bundle, ready.review
        log.info("the line takes the bundle %s", ready.bundle.manifest.name)
        return ready.decider

    def _tell_wait(self, ready: Loaded, rest: BeltRest) -> None:
        """Log once what a bundle waits for."""
        if not self._has_waited:
            waits = waits_until(self._window, rest)
            name = ready.bundle.manifest.name
            log.info("the bundle %s %s; ewaste-edge install --now takes it at once", name, waits)
        self._has_waited = True

    def _offer(self, ready: Loaded | None, at_once: bool) -> None:
        """Have a bundle ready for the loop in place of the one that waited; None: have none."""
        with self._handing:
            self._ready, self._at_once, self._has_waited = ready, at_once, False

    def model_failed(self, reason: str) -> None:
        """Go back, if the bundle that decides is on probation: its model fails again and again."""
        self.close()
        entry = _entry_in_use(self._config)
        if entry is not None and self._is_on_trial(entry):
            self._roll_back(entry, reason, time.time())

    def close(self, timeout: float = 1.0) -> None:
        """Stop watching; may be called twice, and where nothing is watched."""
        if self.alive:
            self._finish(timeout)

    def _run(self) -> None:
        while not self._closing.wait(POLL_SECONDS):
            try:
                self.look(time.time())
            except Exception as error:  # no exception may end the thread
                failure = one_line(error, LONGEST_REASON) or type(error).__name__
                if failure != self._failure:
                    log.warning("%s; the line goes on with its bundle", failure)
                self._failure = failure

    def look(self, now: float) -> None:
        """Take in what is installed, and judge what is on probation; `now` is unix seconds.

        Raises:
            EwasteError: the store cannot be written now; it is tried again.
        """
        found = identity(self._config.bundles)
        if found is None or now < self._not_before:
            return
        if found != self._seen:
            self._seen, self._entry_known = found, False
            self._load(now)
            return
        ready = self._ready
        if ready is not None:
            self._offer_at_once(ready)
            return
        if not self._entry_known:
            self._entry, self._entry_known = _entry_in_use(self._config), True
            self._looks, self._judged_at = 0, 0.0
        if self._entry is not None and self._entry.digest == self.bundle.digest:
            self._watch(self._entry, now)

    def _load(self, now: float) -> None:
        """Prove what is in use now, and have it ready for the loop."""
        self._offer(None, False)  # what waited is in use no more
        entry = _entry_in_use(self._config)
        try:
            found = loaded(self._config, proved_bundle(self._config, NICENESS))
        except EwasteError as error:
            if entry is not None and entry.standing is Standing.ON_PROBATION:
                self._roll_back(entry, f"cannot be used: {error}", now)
            else:
                self._report(f"the installed bundle cannot be used: {error}")
            return
        if found.bundle.digest == self.bundle.digest:
            return
        if entry is not None and entry.standing is Standing.ON_PROBATION and not entry.began_at:
            self.error = None  # a new one: what was wrong is over
        for line in name_notes(self._config, found.bundle):
            log.warning(line)
        self._offer(found, entry is not None and entry.at_once)

    def _offer_at_once(self, ready: Loaded) -> None:
        """See whether a person has asked for what waits to be taken at once, and note a wait."""
        entry = _entry_in_use(self._config)
        if entry is None or entry.digest != ready.bundle.digest:
            return
        if entry.at_once:
            self._at_once = True
        elif self._has_waited and not entry.has_waited:
            note(self._config.bundles, entry.model_copy(update={"has_waited": True}))

    def _watch(self, entry: InstallEntry, now: float) -> None:
        """Judge the bundle that decides, as far as it is on probation."""
        if entry.standing is Standing.ROLLED_BACK:  # and a kill came before the link was changed
            self._roll_back(entry, entry.why, now)
        elif entry.standing is not Standing.ON_PROBATION or now < self._judged_at + JUDGE_SECONDS:
            return
        elif self._config.update.probation_items == 0:
            self._note(ended(entry, Standing.UNWATCHED, "", now))
        elif not entry.began_at:
            self._note(entry.model_copy(update={"began_at": now}))
        else:
            self._judged_at = now
            self._judge(entry, now)

    def _judge(self, entry: InstallEntry, now: float) -> None:
        """Compare the first items of a bundle with the last ones of the bundle before it."""
        most = self._config.update.probation_items
        try:
            with Store(self._config.state_folder / RECORDS_NAME, read_only=True) as store:
                trial = first_items(store, entry.digest, entry.began_at, most)
                compared = last_items(store, entry.before, entry.began_at, most)
        except EwasteError:
            return  # their writer reports it
        looks = looks_due(trial.items, most)
        is_over = now >= entry.began_at + self._config.update.probation_hours * HOUR_S
        if looks <= self._looks and not is_over:
            return
        self._looks = looks
        worse = find_worse(trial, compared)
        if worse is not None:
            self._roll_back(entry, worse.in_words, now)
        elif looks == len(LOOKS) or is_over:
            why = _passed(trial, compared)
            self._note(ended(entry, Standing.PASSED, why, now))
            log.info("the bundle %s has passed its probation: %s", entry.name, why)

    def _is_on_trial(self, entry: InstallEntry) -> bool:
        is_on_probation = entry.standing is Standing.ON_PROBATION
        return is_on_probation and entry.digest == self.bundle.digest

    def _note(self, entry: InstallEntry) -> None:
        note(self._config.bundles, entry)
        self._entry = entry

    def _roll_back(self, entry: InstallEntry, why: str, now: float) -> None:
        """Let the bundle before the one in use be in use again; the loop takes it next."""
        why = one_line(why, LONGEST_REASON)
        try:
            before = _go_back(self._config, why, self._seen)
        except EwasteError as error:
            self._seen, self._not_before = None, now + RETRY_SECONDS
            self._report(f"the bundle {entry.name} should be rolled back ({why}), but {error}")
            return
        self._report(_rolled_back(entry.name, why, before))

    def _report(self, error: str) -> None:
        if error != self.error:
            self.error = error
            log.error(error)


def _entry_in_use(config: Config) -> InstallEntry | None:
    """What is known of the bundle in use; None: nothing, or the line follows no store."""
    number = current_number(config.bundles) if config.follows_installs else None
    return None if number is None else read_history(config.bundles).at(number)


def _go_back(config: Config, why: str, only_from: tuple[int, ...] | None = None) -> Bundle:
    """Let the store go back, and remember why; returns the bundle that is in use then.

    Raises:
        EwasteError: there is no way back.
    """
    return roll_back(
        config.bundles,
        config.trust.keys,
        config.classifier.threads,
        config.trust.demands,
        fits=partial(decision_rules, config),
        why=one_line(why, LONGEST_REASON),
        only_from=only_from,
        backend=config.classifier.backend,
    )


def _rolled_back(name: str, why: str, before: Bundle) -> str:
    return f"the bundle {name} was rolled back to {before.manifest.name}: {why}"


def _passed(trial: ItemSample, compared: ItemSample) -> str:
    """What a passed probation rests on, one line."""
    if trial.items < LEAST_ITEMS:
        return f"only {trial.items} items in its time"
    if compared.items < LEAST_ITEMS:
        return f"{trial.items} items, and only {compared.items} before to compare with"
    return (
        f"{trial.doubtful} of {trial.items} items unknown or by hand, "
        f"{compared.doubtful} of {compared.items} before"
    )
