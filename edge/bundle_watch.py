"""The bundle of a running line: the one that is installed, and its probation.

A thread beside the line looks at what is in use in the store. Another bundle is proved and loaded
beside the one that decides. Once it has answered on this machine, the loop takes it between two
items (`edge.handover`): while the belt stands, in the update window, or at once if a person asks
for that (`edge.bundle.window`). A new bundle is on probation (`edge.store_trial`): what its first
items come to is compared with the last ones of the bundle before it, and if it does worse, the
store goes back to that one, which the line takes at once.

What the device has learned beside the bundle (`edge.learned.store`) is followed in the same way: a
generation is taken like a bundle, and is on probation like one. One that cannot be used is not
waited for: the bundle decides without it, and the status says so.
"""

import logging
import time

from edge.bundle.history import InstallEntry, Standing
from edge.config import Config, name_notes, proved_bundle
from edge.errors import EwasteError, one_line
from edge.followed_store import LONGEST_REASON, FollowedStore, Identity, bundles_of, learned_of
from edge.handover import Handover
from edge.learned.store import current_generation
from edge.loading import Loaded, loaded
from edge.store_trial import StoreTrial, is_on_probation
from edge.worker import Worker

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RETRY_SECONDS = 60.0
"""Time until a roll back that failed is tried again, s: each proves the bundle before it."""
NICENESS = 10
"""How far the trial of another bundle stands back for the line that is at work."""


class BundleWatch(Worker):
    """Follows what is installed and learned beside a line, and judges what is on probation.

    Attributes:
        error: what is wrong with a bundle that was installed since the start; None: nothing.
    """

    def __init__(self, config: Config, handover: Handover, seen: Identity | None) -> None:
        """Start to watch.

        Args:
            config: of the line.
            handover: what decides, and the way to the loop for what is to decide.
            seen: `identity` of the bundle in use before it was read.
        """
        super().__init__("bundles")
        first = handover.in_use
        self._config, self._handover, self._newest = config, handover, first
        self._bundles = StoreTrial(bundles_of(config), config)
        self._bundles.see(_seen_bundle(first, self._bundles.store, seen))
        self._learned = StoreTrial(learned_of(config), config)
        self._learned.see(_seen_generation(first, self._learned.store, config))
        self._not_before = 0.0
        self._failure = ""
        self.error: str | None = None
        if first.unused:
            log.warning(first.unused)
        self._start()

    def model_failed(self, reason: str) -> None:
        """Go back, if what decides is on probation: its model fails again and again."""
        self.close()
        for trial in (self._learned, self._bundles):
            entry = trial.store.entry()
            if entry is not None and is_on_probation(entry, self._deciding):
                self._go_back(trial, entry, reason, time.time())
                return

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
        bundle, generation = self._bundles.store.identity(), self._learned.store.identity()
        if now < self._not_before:
            return
        is_new_bundle = bundle not in (None, self._bundles.seen)
        if is_new_bundle or generation != self._learned.seen:
            self._bundles.see(bundle if is_new_bundle else self._bundles.seen)
            self._learned.see(generation)
            self._load(now, is_new_bundle=is_new_bundle)
        elif (ready := self._handover.ready) is not None:
            self._follow_wait(ready)
        else:
            self._judge(now)

    def _load(self, now: float, *, is_new_bundle: bool) -> None:
        """Prove what is in use now, and have it ready for the loop."""
        self._handover.withdraw()
        entry = self._bundles.store.entry()
        on_probation = entry is not None and entry.standing is Standing.ON_PROBATION
        try:
            proved = (self._newest.bundle, self._newest.classifier)
            if is_new_bundle:
                proved = proved_bundle(self._config, NICENESS)
            found = loaded(self._config, proved)
        except EwasteError as error:
            if entry is not None and on_probation:
                self._go_back(self._bundles, entry, f"cannot be used: {error}", now)
            else:
                self._report(f"the installed bundle cannot be used: {error}")
            return
        self._newest = found
        if found.unused and found.unused != self._handover.in_use.unused:
            log.warning(found.unused)
        if found.decides_as(self._handover.in_use):
            self._handover.note_unused(found.unused)
            return
        if is_new_bundle and entry is not None and on_probation and not entry.began_at:
            self.error = None  # what was wrong is over
        self._offer(found, entry)

    def _offer(self, found: Loaded, entry: InstallEntry | None) -> None:
        """Have it ready for the loop; `entry`: what is known of its bundle."""
        if found.has_bundle_of(self._handover.in_use):
            learned = self._learned.store.entry()
            at_once = found.generation is None or learned is None or learned.at_once
        else:
            at_once = entry is not None and entry.at_once
            for line in name_notes(self._config, found.bundle):
                log.warning(line)
        self._handover.offer(found, at_once=at_once)

    def _follow_wait(self, ready: Loaded) -> None:
        """See whether a person has asked for what waits to be taken at once, and note a wait."""
        entry = self._bundles.store.entry()
        if entry is None or entry.digest != ready.bundle.digest or not self._handover.waiting:
            return
        if entry.at_once:
            self._handover.hasten()
        elif self._handover.has_waited and not entry.has_waited:
            self._bundles.store.note(entry.model_copy(update={"has_waited": True}))

    def _judge(self, now: float) -> None:
        """Judge what decides, as far as it is on probation: first what was learned."""
        for trial in (self._learned, self._bundles):
            why = trial.judge(self._deciding, now)
            if trial.entry is not None and why is not None:
                self._go_back(trial, trial.entry, why, now)
            if trial.is_on(self._deciding):
                return

    @property
    def _deciding(self) -> tuple[str, str]:
        """Digests of the bundle that decides, and of what was learned beside it."""
        in_use = self._handover.in_use
        return in_use.bundle.digest, in_use.decider.bundle

    def _go_back(self, trial: StoreTrial, entry: InstallEntry, why: str, now: float) -> None:
        """Let what was in use before be in use again; the loop takes it next."""
        try:
            self._report(trial.go_back(entry, why, now))
        except EwasteError as error:
            self._not_before = now + RETRY_SECONDS
            self._report(str(error))

    def _report(self, error: str) -> None:
        if error != self.error:
            self.error = error
            log.error(error)


def _seen_bundle(
    first: Loaded, store: FollowedStore, read_at_start: Identity | None
) -> Identity | None:
    """The identity of the bundle in use, unless it waits still beside what a line starts with."""
    entry = store.entry()
    waits = entry is not None and entry.has_waited and entry.digest != first.bundle.digest
    return None if waits else read_at_start


def _seen_generation(first: Loaded, store: FollowedStore, config: Config) -> Identity | None:
    """The identity of the generation in use, if it is what a line starts with."""
    found = store.identity()
    try:
        current = current_generation(config.learned)
    except EwasteError:
        return found
    digest = None if current is None else current.digest
    started = None if first.generation is None else first.generation.digest
    return found if first.unused or digest == started else None
