"""The stores that a running line follows: of installed bundles, and of what was learned beside one.

The line does the same with both. All that differs between them is described here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from edge.bundle import install
from edge.bundle.history import InstallEntry, read_history
from edge.config import Config, decision_rules
from edge.learned import store as learned

LONGEST_REASON = 240
"""Of a reason for going back, characters: it stands within a line of the log."""

Identity = tuple[int, ...]
"""`edge.bundle.install.identity` of what is in use in a store."""


@dataclass(frozen=True)
class FollowedStore:
    """What a line has to know of one of the two stores.

    Attributes:
        identity: which thing is in use; None: none is, or the line does not follow the store.
        entry: what is known of what is in use; None: nothing.
        note: writes down what is known by now; raises `EwasteError`.
        decided: digest of a thing -> those that the records name where it decided.
        name: what is in use, in words.
        full_name: the same for who has to look for what went wrong.
        go_back: lets what was in use before be in use again, and says what that is. It takes why,
            one line; what must be in use still, None: anything may; and unix seconds. Raises
            `EwasteError` if there is no way back.
    """

    identity: Callable[[], Identity | None]
    entry: Callable[[], InstallEntry | None]
    note: Callable[[InstallEntry], None]
    decided: Callable[[str], Sequence[str]]
    name: Callable[[InstallEntry], str]
    full_name: Callable[[InstallEntry], str]
    go_back: Callable[[str, Identity | None, float], str]


def bundles_of(config: Config) -> FollowedStore:
    """The store of the installed bundles; followed unless the configuration names a bundle."""
    return FollowedStore(
        identity=lambda: install.identity(config.bundles) if config.follows_installs else None,
        entry=lambda: _bundle_entry(config),
        note=partial(install.note, config.bundles),
        # Whatever was learned beside it.
        decided=partial(learned.decided_beside, config.learned),
        name=_bundle_name,
        full_name=_bundle_name,
        go_back=partial(_bundle_before, config),
    )


def learned_of(config: Config) -> FollowedStore:
    """The store of what the device has learned."""
    return FollowedStore(
        identity=lambda: install.identity(config.learned),
        entry=lambda: _learned_entry(config),
        note=partial(learned.note, config.learned),
        decided=lambda digest: [digest],
        name=_learned_name,
        full_name=lambda entry: f"{_learned_name(entry)} ({entry.name})",
        go_back=partial(_learned_before, config),
    )


def _bundle_entry(config: Config) -> InstallEntry | None:
    number = install.current_number(config.bundles) if config.follows_installs else None
    return None if number is None else read_history(config.bundles).at(number)


def _learned_entry(config: Config) -> InstallEntry | None:
    number = install.current_number(config.learned)
    return None if number is None else read_history(config.learned).at(number)


def _bundle_name(entry: InstallEntry) -> str:
    return f"the bundle {entry.name}"


def _learned_name(entry: InstallEntry) -> str:
    return f"generation {entry.number} of what was learned"


def _bundle_before(config: Config, why: str, only_from: Identity | None, now: float) -> str:
    """Go back to the bundle before; `now` is not noted, but when that one has been proved."""
    before = install.roll_back(
        config.bundles,
        config.trust.keys,
        config.classifier.threads,
        config.trust.demands,
        fits=partial(decision_rules, config),
        why=why,
        only_from=only_from,
        backend=config.classifier.backend,
    )
    return before.manifest.name


def _learned_before(config: Config, why: str, only_from: Identity | None, now: float) -> str:
    """Go back to the generation before, or to the bundle alone."""
    before = learned.roll_back(config.learned, why=why, only_from=only_from, now=now)
    return "the bundle alone" if before is None else f"generation {before.number}"
