"""Whether another bundle can come into use here, and what keeps one that came from it.

A bundle comes into the store of the state folder as a directory or a file, by `ewaste-edge install`
or the page, or from the repository of `[update]`. The repository itself is not asked here.
"""

import importlib.util
import json
import os
from datetime import datetime, timezone
from pathlib import Path

from edge.bundle.history import Standing, read_history
from edge.bundle.install import CURRENT, current_number
from edge.bundle.packed import MOST_UNPACKED_BYTES
from edge.bundle.window import waiting_by
from edge.config import Config
from edge.doctor.check import BoardCheck, ok, warning
from edge.doctor.disk import existing_part
from edge.errors import EwasteError
from edge.files import read_bounded
from edge.records.database import MEGABYTE
from edge.status import Status, bundle_waiting
from edge.update.offer import METADATA_FOLDER
from edge.update.upstream import INSTALL_TUF

NAME = "update source"
TIMESTAMP = Path(METADATA_FOLDER, "timestamp.json")
"""In the folder of `edge.update`: what python-tuf verified last."""
MOST_BYTES = 16_384
NEEDED_MB = round(2 * MOST_UNPACKED_BYTES / MEGABYTE)
"""What the largest bundle takes while it is unpacked and copied."""


def update_source(config: Config, status: Status | None, now: float) -> BoardCheck:
    """Whether a bundle can be installed, and a running line takes it.

    Args:
        config: of the line.
        status: of the line with this state folder; None: there is none.
        now: unix seconds.

    Raises:
        EwasteError: the store cannot be read.
        OSError: the disk does not answer.
    """
    store = config.bundles
    return (
        _kept_out(config)
        or _no_room(store)
        or _held(config, status, now)
        or _not_asked(config, now)
        or _sound(config)
    )


def _kept_out(config: Config) -> BoardCheck | None:
    """Why nothing that is installed comes into use, or can be installed; None: it can."""
    if not config.follows_installs:
        return warning(
            NAME,
            f"the line runs {config.classifier.bundle}, and nothing that is installed",
            "remove classifier.bundle from the configuration, or update that folder by hand",
        )
    there = existing_part(config.bundles)
    if not there.is_dir():
        return warning(NAME, f"{there}: is no folder", "move it away, or set another state")
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        return warning(
            NAME,
            f"{there}: cannot be written, so nothing can be installed or rolled back",
            f"run it as the user of the line, or: sudo chown -R USER {there}",
        )
    return None


def _free_mb(store: Path) -> float:
    found = os.statvfs(existing_part(store))
    return found.f_bavail * found.f_frsize / MEGABYTE


def _no_room(store: Path) -> BoardCheck | None:
    free_mb = _free_mb(store)
    if free_mb >= NEEDED_MB:
        return None
    reason = f"{store}: {free_mb:,.0f} MB are free, and a bundle may take {NEEDED_MB} MB meanwhile"
    return warning(NAME, reason, f"free at least {NEEDED_MB} MB there")


def _held(config: Config, status: Status | None, now: float) -> BoardCheck | None:
    """What keeps the newest bundle from use; None: nothing does."""
    if bundle_waiting(status, now):
        waiting = waiting_by(status, now)
        reason = "is taken now" if waiting is None else waiting.in_words
        fix = "stop the belt, or let the line take it: ewaste-edge install --now"
        return warning(NAME, f"a bundle is installed and {reason}", fix)
    last = read_history(config.bundles).newest
    if last is not None and last.standing is Standing.ROLLED_BACK:
        reason = f"the newest bundle, {last.name}, was rolled back by the line: {last.why}"
        return warning(NAME, reason, "convert another bundle, and install that")
    if config.belt.encoder == "time" and not config.update.window:
        return warning(
            NAME,
            "a running line takes no bundle by itself: nothing measures that the belt stands, and "
            "there is no update window",
            'set [belt] encoder, or [update] window such as "22:00-05:00"',
        )
    return None


def _not_asked(config: Config, now: float) -> BoardCheck | None:
    """Why the repository is not asked, or does not answer as it should; None: it is, or is none."""
    given = config.update
    if given.repository is None or given.root is None:
        return None
    if importlib.util.find_spec("tuf") is None:
        return warning(NAME, "updates need python-tuf, which is missing", INSTALL_TUF)
    if not os.access(given.root.expanduser(), os.R_OK, effective_ids=True):
        fix = "copy metadata/1.root.json of the repository there"
        return warning(NAME, f"{given.root}: missing, or cannot be read", fix)
    expires = _valid_until(config)
    if expires is None:
        reason = f"{given.repository}: never answered"
        return warning(
            NAME, reason, "systemctl enable --now ewaste-update.timer; ewaste-edge update"
        )
    if expires.timestamp() < now:
        reason = f"{given.repository}: what it last served expired on {expires:%Y-%m-%d %H:%M} UTC"
        return warning(NAME, reason, "journalctl -u ewaste-update -n 20, or publish again")
    return None


def _valid_until(config: Config) -> datetime | None:
    """When what the repository last served expires; None: it never answered."""
    try:
        content = read_bounded(config.updates / TIMESTAMP, MOST_BYTES)
        expires = json.loads(content)["signed"]["expires"]
        return datetime.strptime(expires, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, EwasteError):
        return None


def _sound(config: Config) -> BoardCheck:
    store = config.bundles
    number = current_number(store)
    entry = None if number is None else read_history(store).at(number)
    name = entry.name if entry is not None else "a bundle" if number else ""
    in_use = f"{store / CURRENT}: {name} is in use" if name else f"{store}: nothing is installed"
    window = config.update.window
    at = f"while the belt stands or at {window}" if window else "while the belt stands"
    keys = len(config.trust.keys)
    signed = f"signed by one of {keys} trusted keys" if keys else "signed or not: no key is trusted"
    return ok(
        NAME,
        f"{in_use}; bundles come {_ways(config)}, {signed}; a running line takes one {at}; "
        f"{_free_mb(store):,.0f} MB are free",
    )


def _ways(config: Config) -> str:
    """How bundles come here, in words."""
    given, by_hand = config.update, "by ewaste-edge install or the page"
    if given.repository is None:
        return by_hand
    until = _valid_until(config)
    valid = "" if until is None else f", valid until {until:%Y-%m-%d %H:%M} UTC"
    return f"from {given.repository} (ring {given.ring}{valid}), {by_hand}"
