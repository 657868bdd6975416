"""The probation of what is in use in one of the stores that a line follows.

The first items that it decides on are compared with the last ones before it (`edge.probation`).
"""

import logging
from collections.abc import Collection

from edge.bundle.history import InstallEntry, Standing, ended
from edge.config import Config
from edge.errors import EwasteError, one_line
from edge.followed_store import LONGEST_REASON, FollowedStore, Identity
from edge.probation import (
    LEAST_ITEMS,
    LOOKS,
    ItemSample,
    find_worse,
    first_items,
    last_items,
    looks_due,
)
from edge.records.store import RECORDS_NAME, Store

log = logging.getLogger(__name__)

JUDGE_SECONDS = 5.0
"""Time between two looks at the records of what is on probation, s."""
HOUR_S = 3600.0


class StoreTrial:
    """What is in use in one store, and how far it was judged.

    Attributes:
        store: which.
        entry: what is known of what is in use; None: nothing, or it was not looked at yet.
        seen: the identity of what was seen in use last; None: nothing was.
    """

    def __init__(self, store: FollowedStore, config: Config) -> None:
        """Begin with nothing in use.

        Args:
            store: which.
            config: of the line: how long a probation lasts, and where the records are.
        """
        self.store, self._limits = store, config.update
        self._records = config.state_folder / RECORDS_NAME
        self.see(None)

    def see(self, seen: Identity | None) -> None:
        """Begin anew: this is in use now."""
        self.seen = seen
        self.entry: InstallEntry | None = None
        self._is_read = False
        self._looks, self._judged_at = 0, 0.0

    def is_on(self, deciding: Collection[str]) -> bool:
        """Whether what decides is on probation here, as far as that was looked at."""
        return self.entry is not None and is_on_probation(self.entry, deciding)

    def judge(self, deciding: Collection[str], now: float) -> str | None:
        """Judge what is in use, if it decides and is on probation; what comes of it is noted.

        Args:
            deciding: the digests of what decides on the line.
            now: unix seconds.

        Returns:
            Why it is to be left; None: it stays.

        Raises:
            EwasteError: the store cannot be written now.
        """
        if not self._is_read:
            self.entry, self._is_read = self.store.entry(), True
        entry = self.entry
        if entry is None or entry.digest not in deciding:
            return None
        if entry.standing is Standing.ROLLED_BACK:  # and a kill came before the link was changed
            return entry.why
        if not self.is_on(deciding) or now < self._judged_at + JUDGE_SECONDS:
            return None
        if self._limits.probation_items == 0:
            self._note(ended(entry, Standing.UNWATCHED, "", now))
            return None
        if not entry.began_at:
            self._note(entry.model_copy(update={"began_at": now}))
            return None
        self._judged_at = now
        return self._compare(entry, now)

    def go_back(self, entry: InstallEntry, why: str, now: float) -> str:
        """Let what was in use before be in use again; returns what was done, one line.

        Args:
            entry: what is left.
            why: for what.
            now: unix seconds.

        Raises:
            EwasteError: there is no way back now.
        """
        why = one_line(why, LONGEST_REASON)
        name = self.store.full_name(entry)
        try:
            before = self.store.go_back(why, self.seen, now)
        except EwasteError as error:
            self.seen = None  # so that it is loaded, and judged, again
            raise EwasteError(f"{name} should be rolled back ({why}), but {error}") from None
        return f"{name} was rolled back to {before}: {why}"

    def _compare(self, entry: InstallEntry, now: float) -> str | None:
        """Compare its first items with the last ones before it; returns why it is to be left."""
        most = self._limits.probation_items
        own, before = self.store.decided(entry.digest), self.store.decided(entry.before)
        try:
            with Store(self._records, read_only=True) as store:
                sample = first_items(store, own, entry.began_at, most)
                compared = last_items(store, before, entry.began_at, most)
        except EwasteError:
            return None  # their writer reports it
        looks = looks_due(sample.items, most)
        is_over = now >= entry.began_at + self._limits.probation_hours * HOUR_S
        if looks <= self._looks and not is_over:
            return None
        worse = find_worse(sample, compared)
        if worse is None and (looks == len(LOOKS) or is_over):
            why = _passed(sample, compared)
            self._note(ended(entry, Standing.PASSED, why, now))
            log.info("%s has passed its probation: %s", self.store.name(entry), why)
        self._looks = looks  # unless what came of it could not be noted
        return None if worse is None else worse.in_words

    def _note(self, entry: InstallEntry) -> None:
        self.store.note(entry)
        self.entry = entry


def is_on_probation(entry: InstallEntry, deciding: Collection[str]) -> bool:
    """Whether it is on probation and among what decides, digests."""
    return entry.standing is Standing.ON_PROBATION and entry.digest in deciding


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
