"""The bundle of a running line: the one that is installed, and its probation.

A thread beside the line looks at what is in use in the store. Another bundle is proved and loaded
beside the one that decides. Once it has answered on this machine, the loop takes it between two
items (`edge.conveyor`): while the belt stands, in the update window, or at once if a person asks
for that (`edge.bundle.window`). A new bundle is on probation: what its first items come to is
compared with the last ones of the bundle before it (`edge.probation`), and if it does worse, the
store goes back to that one, which the line takes at once.

What the device has learned beside the bundle (`edge.learned.store`) is followed in the same way: a
generation is taken like a bundle, and is on probation like one. One that cannot be used is not
waited for: the bundle decides without it, and the status says so.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edge.bundle.bundle import Bundle
from edge.bundle.history import InstallEntry, Standing, ended, read_history
from edge.bundle.install import current_number, identity, note, number_of, roll_back
from edge.bundle.window import may_exchange, parse_window, waits_until
from edge.config import Config, decision_rules, longest_item_mm, name_notes, proved_bundle
from edge.decision.decider import Decider
from edge.errors import EwasteError, one_line
from edge.inference.classifier import Classifier
from edge.learned.adapted import adapt, check_base
from edge.learned.store import Generation, current_generation, decided_beside
from edge.learned.store import note as note_learned
from edge.learned.store import roll_back as roll_back_learned
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


@dataclass
class _Trial:
    """What is known of what is in use in one of the two stores, and how far it was judged.

    Attributes:
        store: the folder.
        entry: what became of it; None: nothing is known.
        known: whether `entry` was read since it came into use.
        looks: how many looks at its items were made.
        judged_at: when the last one was, unix seconds.
    """

    store: Path
    entry: InstallEntry | None = None
    known: bool = False
    looks: int = 0
    judged_at: float = 0.0

    def forget(self) -> None:
        """Something else may be in use now."""
        self.entry, self.known, self.looks, self.judged_at = None, False, 0, 0.0

    @property
    def is_on(self) -> bool:
        """Whether it is on probation."""
        return self.entry is not None and self.entry.standing is Standing.ON_PROBATION


Seen = tuple[tuple[int, ...] | None, tuple[int, ...] | None]
"""`identity` of the bundle and of the generation in use; None: there is none."""


class BundleWatch(Worker):
    """Follows what is installed and learned beside a line, and judges what is on probation.

    Attributes:
        in_use: what decides.
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
        self._config = config
        self._seen: Seen = (None if waits else seen, _learned_seen(first, config))
        self.in_use = self._newest = first
        self.error: str | None = None
        self._window = parse_window(config.update.window)
        self._handing = threading.Lock()
        self._ready: Loaded | None = None
        self._at_once = self._has_waited = False
        self._bundle_trial = _Trial(config.bundles)
        self._learned_trial = _Trial(config.learned)
        self._not_before = 0.0
        self._failure = ""
        if first.unused:
            log.warning(first.unused)
        self._start()

    @property
    def bundle(self) -> Bundle:
        """The bundle that decides."""
        return self.in_use.bundle

    def review(self, record: ItemRecord) -> str:
        """Why a person should review an item; empty: no review is needed."""
        return self.in_use.review(record)

    @property
    def waiting(self) -> str:
        """Digest of the bundle that is ready and waits to be taken; empty: none does."""
        ready = self._ready
        return "" if ready is None or _same_bundle(ready, self.in_use) else ready.bundle.digest

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
            self.in_use = ready
        log.info("the line takes %s", _in_words(ready))
        return ready.decider

    def _tell_wait(self, ready: Loaded, rest: BeltRest) -> None:
        """Log once what a bundle waits for."""
        if not self._has_waited:
            waits = waits_until(self._window, rest)
            how = "" if ready.generation else "; ewaste-edge install --now takes it at once"
            log.info("%s %s%s", _in_words(ready), waits, how)
        self._has_waited = True

    def _offer(self, ready: Loaded | None, at_once: bool) -> None:
        """Have a bundle ready for the loop in place of the one that waited; None: have none."""
        with self._handing:
            self._ready, self._at_once, self._has_waited = ready, at_once, False

    def model_failed(self, reason: str) -> None:
        """Go back, if what decides is on probation: its model fails again and again."""
        self.close()
        learned = _learned_in_use(self._config)
        if learned is not None and self._is_on_trial(learned):
            self._roll_back_learned(learned, reason, time.time())
            return
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
        """Take in what is installed and learned, and judge what is on probation.

        Args:
            now: unix seconds.

        Raises:
            EwasteError: the store cannot be written now; it is tried again.
        """
        follows = self._config.follows_installs
        installed = identity(self._config.bundles) if follows else None
        found = installed, identity(self._config.learned)
        if now < self._not_before:
            return
        before, same = self._seen, found[0] in (None, self._seen[0])
        if not same or found[1] != before[1]:
            self._seen = (before[0] if found[0] is None else found[0], found[1])
            self._bundle_trial.forget()
            self._learned_trial.forget()
            self._load(now, new_bundle=not same)
            return
        ready = self._ready
        if ready is not None:
            self._offer_at_once(ready)
            return
        self._watch(now)

    def _load(self, now: float, *, new_bundle: bool) -> None:
        """Prove what is in use now, and have it ready for the loop."""
        self._offer(None, False)  # what waited is in use no more
        entry = _entry_in_use(self._config)
        try:
            proved = (self._newest.bundle, self._newest.classifier)
            if new_bundle:
                proved = proved_bundle(self._config, NICENESS)
            found = loaded(self._config, proved)
        except EwasteError as error:
            if entry is not None and entry.standing is Standing.ON_PROBATION:
                self._roll_back(entry, f"cannot be used: {error}", now)
            else:
                self._report(f"the installed bundle cannot be used: {error}")
            return
        self._newest = found
        if found.unused and found.unused != self.in_use.unused:
            log.warning(found.unused)
        same_bundle = _same_bundle(found, self.in_use)
        if same_bundle and found.decider.bundle == self.in_use.decider.bundle:
            self.in_use = replace(self.in_use, unused=found.unused)
            return
        if new_bundle and entry is not None and entry.standing is Standing.ON_PROBATION:
            self.error = None if not entry.began_at else self.error  # what was wrong is over
        if same_bundle:
            learned = _learned_in_use(self._config)
            self._offer(found, found.generation is None or learned is None or learned.at_once)
            return
        for line in name_notes(self._config, found.bundle):
            log.warning(line)
        self._offer(found, entry is not None and entry.at_once)

    def _offer_at_once(self, ready: Loaded) -> None:
        """See whether a person has asked for what waits to be taken at once, and note a wait."""
        entry = _entry_in_use(self._config)
        if entry is None or entry.digest != ready.bundle.digest or not self.waiting:
            return
        if entry.at_once:
            self._at_once = True
        elif self._has_waited and not entry.has_waited:
            note(self._config.bundles, entry.model_copy(update={"has_waited": True}))

    def _watch(self, now: float) -> None:
        """Judge what decides, as far as it is on probation: first what was learned."""
        for trial, read in (
            (self._learned_trial, _learned_in_use),
            (self._bundle_trial, _entry_in_use),
        ):
            if not trial.known:
                trial.entry, trial.known = read(self._config), True
            entry = trial.entry
            if entry is None or entry.digest not in self._deciding:
                continue
            self._watch_one(trial, entry, now)
            if trial.is_on:
                return

    @property
    def _deciding(self) -> tuple[str, str]:
        """Digests of the bundle that decides, and of what was learned beside it."""
        return self.in_use.bundle.digest, self.in_use.decider.bundle

    def _watch_one(self, trial: _Trial, entry: InstallEntry, now: float) -> None:
        if entry.standing is Standing.ROLLED_BACK:  # and a kill came before the link was changed
            self._go_back_from(trial, entry, entry.why, now)
        elif entry.standing is not Standing.ON_PROBATION or now < trial.judged_at + JUDGE_SECONDS:
            return
        elif self._config.update.probation_items == 0:
            self._note(trial, ended(entry, Standing.UNWATCHED, "", now))
        elif not entry.began_at:
            self._note(trial, entry.model_copy(update={"began_at": now}))
        else:
            trial.judged_at = now
            self._judge(trial, entry, now)

    def _judge(self, trial: _Trial, entry: InstallEntry, now: float) -> None:
        """Compare the first items of what is on probation with the last ones before it."""
        most = self._config.update.probation_items
        own: Sequence[str] = [entry.digest]
        before: Sequence[str] = [entry.before]
        if trial is self._bundle_trial:  # whatever was learned beside it
            own = decided_beside(self._config.learned, entry.digest)
            before = decided_beside(self._config.learned, entry.before)
        try:
            with Store(self._config.state_folder / RECORDS_NAME, read_only=True) as store:
                sample = first_items(store, own, entry.began_at, most)
                compared = last_items(store, before, entry.began_at, most)
        except EwasteError:
            return  # their writer reports it
        looks = looks_due(sample.items, most)
        is_over = now >= entry.began_at + self._config.update.probation_hours * HOUR_S
        if looks <= trial.looks and not is_over:
            return
        trial.looks = looks
        worse = find_worse(sample, compared)
        if worse is not None:
            self._go_back_from(trial, entry, worse.in_words, now)
        elif looks == len(LOOKS) or is_over:
            why = _passed(sample, compared)
            self._note(trial, ended(entry, Standing.PASSED, why, now))
            log.info("%s has passed its probation: %s", self._named(trial, entry), why)

    def _named(self, trial: _Trial, entry: InstallEntry) -> str:
        if trial is self._bundle_trial:
            return f"the bundle {entry.name}"
        return f"generation {entry.number} of what was learned"

    def _is_on_trial(self, entry: InstallEntry) -> bool:
        return entry.standing is Standing.ON_PROBATION and entry.digest in self._deciding

    def _note(self, trial: _Trial, entry: InstallEntry) -> None:
        if trial is self._bundle_trial:
            note(trial.store, entry)
        else:
            note_learned(trial.store, entry)
        trial.entry = entry

    def _go_back_from(self, trial: _Trial, entry: InstallEntry, why: str, now: float) -> None:
        if trial is self._bundle_trial:
            self._roll_back(entry, why, now)
        else:
            self._roll_back_learned(entry, why, now)

    def _roll_back(self, entry: InstallEntry, why: str, now: float) -> None:
        """Let the bundle before the one in use be in use again; the loop takes it next."""
        why = one_line(why, LONGEST_REASON)
        try:
            before = _go_back(self._config, why, self._seen[0])
        except EwasteError as error:
            self._seen, self._not_before = (None, self._seen[1]), now + RETRY_SECONDS
            self._report(f"the bundle {entry.name} should be rolled back ({why}), but {error}")
            return
        self._report(_rolled_back(entry.name, why, before))

    def _roll_back_learned(self, entry: InstallEntry, why: str, now: float) -> None:
        """Let the generation before the one in use be in use again; the loop takes it next."""
        why = one_line(why, LONGEST_REASON)
        name = f"generation {entry.number} of what was learned ({entry.name})"
        try:
            before = roll_back_learned(
                self._config.learned, why=why, only_from=self._seen[1], now=now
            )
        except EwasteError as error:
            self._not_before = now + RETRY_SECONDS
            self._report(f"{name} should be rolled back ({why}), but {error}")
            return
        target = "the bundle alone" if before is None else f"generation {before.number}"
        self._report(f"{name} was rolled back to {target}: {why}")

    def _report(self, error: str) -> None:
        if error != self.error:
            self.error = error
            log.error(error)


def _learned_seen(first: Loaded, config: Config) -> tuple[int, ...] | None:
    """What is in use in the store of what was learned, if it is what a line starts with."""
    found = identity(config.learned)
    try:
        current = current_generation(config.learned)
    except EwasteError:
        return found
    digest = None if current is None else current.digest
    started = None if first.generation is None else first.generation.digest
    return found if first.unused or digest == started else None


def _learned_in_use(config: Config) -> InstallEntry | None:
    """What is known of the generation in use; None: nothing."""
    number = current_number(config.learned)
    return None if number is None else read_history(config.learned).at(number)


def _same_bundle(one: Loaded, other: Loaded) -> bool:
    return one.bundle.digest == other.bundle.digest


def _in_words(ready: Loaded) -> str:
    """What is ready, for the log."""
    name = f"the bundle {ready.bundle.manifest.name}"
    if ready.generation is None:
        return name
    return f"{name} with generation {ready.generation.number} of what was learned"


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
