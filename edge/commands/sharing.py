"""`ewaste-edge learned share`, `import`, and `key`: taught classes from board to board."""

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import PATH, ConfigFile, StateDir
from edge.commands.settings import read_settings
from edge.commands.who import own_name
from edge.errors import BadInput, EwasteError
from edge.terminal import out, safe_line

log = logging.getLogger(__name__)


def show_key(config: ConfigFile = None, state: StateDir = None) -> None:
    """Print the public key of this board, by which others trust what it was taught."""
    from edge.learned.device_key import own_public_key

    store = read_settings(config, state=state).learned
    key = own_public_key(store)
    if not key:
        raise BadInput(f"{store}: this board has no key yet; it is made when it first learns")
    out.print(key)


def share_classes(
    target: Annotated[Path, typer.Argument(**PATH, help="file to write, such as phone.learned")],
    *,
    config: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Write the taught classes, signed by this board, for other boards with the same bundle."""
    from edge.learned.shared import share
    from edge.learned.store import current_generation

    store = read_settings(config, state=state).learned
    found = current_generation(store, with_crops=True)
    if found is None:
        raise BadInput(f"{store}: nothing is learned, so there is nothing to share")
    try:
        share(found, target)
    except OSError as error:
        raise EwasteError(f"{target}: cannot be written ({error.strerror})") from None
    out.print(safe_line(f"{target}: {', '.join(found.manifest.labels)}"))


def import_classes(
    source: Annotated[Path, typer.Argument(**PATH, help="file of another board's learned share")],
    *,
    at_once: Annotated[
        bool, typer.Option("--now", help="a running line takes it also while its belt moves")
    ] = False,
    config: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Take the classes that another board was taught. Exit code 3: the guard of this one refuses.

    The key of that board must be among keys in the section learning of the configuration, or trust.
    """
    from functools import partial

    from edge.config import decision_rules, proved_bundle
    from edge.learned.crops import to_ask_again
    from edge.learned.shared import read_shared, take_shared
    from edge.learned.store import LearnedStep, add_generation, current_generation, digest_in_use
    from edge.learned.teaching import Base
    from edge.records.store import RECORDS_NAME

    settings, now = read_settings(config, state=state), time.time()
    trusted = (*settings.learning.keys, *settings.trust.keys)
    shared = read_shared(source, trusted)
    current, parent = current_generation(settings.learned, with_crops=True), ""
    if current is not None:
        parent = digest_in_use(settings.learned)
    bundle, classifier = proved_bundle(settings)
    if current is not None and current.manifest.base != bundle.digest:
        log.warning("generation %d was learned beside another bundle and is left", current.number)
        current = None
    base = Base(bundle, classifier, current, partial(decision_rules, settings, bundle))
    reviewed = to_ask_again(settings.state_folder / RECORDS_NAME, bundle.labels)
    taken = take_shared(shared, base, reviewed, now, own_name())
    what = f"took {', '.join(taken.labels)} of another board"[:200]
    step = LearnedStep(what, own_name(), parent, now, at_once)
    made = add_generation(settings.learned, taken.taught.manifest, taken.taught.contents, step)
    for label in taken.known:
        out.print(safe_line(f"{label}: was taught here already, and stays as it is"))
    out.print(safe_line(f"generation {made.number} is in use: {', '.join(taken.labels)}"))
