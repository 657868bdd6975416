"""Commands for bundles: verify, install, update, rollback, bundles, keygen, schema."""

import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import PATH, AsJson, ConfigFile, StateDir, require_finite
from edge.commands.printing import print_table, warn_all
from edge.commands.settings import read_settings
from edge.errors import BadInput, Refused
from edge.terminal import out, safe_line

if TYPE_CHECKING:
    from edge.bundle.bundle import Bundle
    from edge.bundle.install import Allowed
    from edge.bundle.verify import Verification
    from edge.config import Config
    from edge.update.upstream import Upstream

log = logging.getLogger(__name__)


def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            **PATH, help="directory of the bundle; without: the one that a line would run"
        ),
    ] = None,
    *,
    config: ConfigFile = None,
    state: StateDir = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="CPU threads of one inference; without: as a line"),
    ] = None,
    slowest_ms: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=require_finite,
            help="refuse a model that takes longer for one image, ms",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove a bundle on this machine: schema, digests, signature, parity, golden outputs, speed."""
    from edge.bundle.verify import verify as verify_bundle
    from edge.config import chosen_runtime, name_notes

    settings = read_settings(config, bundle=bundle, state=state)
    trust, chosen = settings.trust, chosen_runtime(settings, settings.bundle)
    found = verify_bundle(
        settings.bundle,
        trust.keys,
        threads or chosen.threads,
        slowest_ms,
        trust.demands,
        backend=chosen.backend,
    )
    _print_checks(found, as_json=as_json)
    proved, _ = found.require()
    warn_all(name_notes(settings, proved))
    if not as_json:
        out.print(f"{settings.bundle}: proved, digest {proved.digest[:16]}")


def _print_checks(found: "Verification", *, as_json: bool) -> None:
    """Print what passed and what did not."""
    if as_json:
        checks = {
            check.name: {"passed": check.passed, "message": check.message} for check in found.checks
        }
        digest = None if found.bundle is None else found.bundle.digest
        out.print(json.dumps({"ok": found.ok, "checks": checks, "digest": digest}))
        return
    for check in found.checks:
        mark = "passed" if check.passed else "REFUSED"
        out.print(f"{check.name:15} {mark:8} {check.message if check.passed else ''}".rstrip())


def install(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            **PATH,
            help="directory of the new bundle, or a packed one; without it, --now is for the one "
            "that waits",
        ),
    ] = None,
    *,
    config: ConfigFile = None,
    state: StateDir = None,
    older: Annotated[
        bool,
        typer.Option("--older", help="also install a bundle that is older than the one in use"),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="also install a bundle that a line has rolled back")
    ] = False,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="a running line takes it while its belt moves, also outside its window"
        ),
    ] = False,
) -> None:
    """Verify a bundle and make it the one that lines run; a running one may wait for its belt."""
    from edge.bundle.install import Allowed, take_at_once
    from edge.config import decision_rules

    settings = read_settings(config, state=state)
    if bundle is None:
        if not now:
            raise BadInput("name a bundle, or give --now for the one that waits")
        taken = take_at_once(settings.bundles)
        out.print(f"{taken.manifest.name}: a running line takes it at once")
        return
    fits = None if config is None else partial(decision_rules, settings)
    _install(settings, bundle, Allowed(older, again), fits, at_once=now)


def update(
    *,
    config: ConfigFile = None,
    state: StateDir = None,
    program: Annotated[
        bool,
        typer.Option("--program", help="the program instead of the bundle; for root, by its timer"),
    ] = False,
    patience: Annotated[
        float,
        typer.Option(
            min=0, max=86_400, help="with --program: s to wait for the belt or the window"
        ),
    ] = 0.0,
) -> None:
    """Install what `update.repository` offers the ring of this board; 0: also if nothing."""
    if program:
        from edge.commands.program import update_program

        update_program(config, state, patience)
        return
    from edge.update.outcome import noted
    from edge.update.upstream import upstream_of

    settings = read_settings(config, state=state)
    upstream = upstream_of(settings)
    with noted(upstream.folder, time.time()):
        _update(settings, upstream)


def _update(settings: "Config", upstream: "Upstream") -> None:
    """Fetch and install what a repository offers."""
    from edge.bundle.bundle import Bundle
    from edge.bundle.install import Allowed, check_offered, is_in_use
    from edge.config import decision_rules
    from edge.files import folder_beside
    from edge.update.upstream import visited

    with visited(upstream) as repository, folder_beside(upstream.folder / "download") as scratch:
        offer = repository.offer(scratch)
        where = f"{upstream.url}, ring {upstream.ring.value}"
        if offer is None:
            out.print(f"{where}: offers nothing yet")
            return
        where = f"{where}: {safe_line(offer.name)}"
        if is_in_use(settings.bundles, offer.digest):
            out.print(f"{where}, in use already")
            return
        check_offered(settings.bundles, offer.digest, offer.created, where)
        repository.download(offer, scratch / offer.bundle)

        def fits(bundle: Bundle) -> None:
            if bundle.digest != offer.digest:
                raise Refused(f"{where} is not the bundle in its file; publish it again")
            decision_rules(settings, bundle)

        _install(settings, scratch / offer.bundle, Allowed(), fits, at_once=False)


def _install(
    settings: "Config",
    bundle: Path,
    allowed: "Allowed",
    fits: "Callable[[Bundle], object] | None",
    *,
    at_once: bool,
) -> None:
    """Verify and install a bundle, and say when a line takes it."""
    from edge.bundle.install import CURRENT
    from edge.bundle.install import install as install_bundle
    from edge.bundle.packed import bundle_folder
    from edge.bundle.window import waiting_by
    from edge.config import name_notes
    from edge.status import bundle_at_work, read_status

    trust, threads = settings.trust, settings.classifier.threads
    running = bundle_at_work(read_status(settings.state_folder), time.time())
    with bundle_folder(bundle, settings.state_folder) as folder:
        installed = install_bundle(
            folder,
            settings.bundles,
            trust.keys,
            threads=threads,
            demands=trust.demands,
            allowed=allowed,
            fits=fits,
            at_once=at_once,
            running=running,
            backend=settings.classifier.backend,
        )
    warn_all(name_notes(settings, installed))
    waiting = None if at_once else waiting_by(read_status(settings.state_folder), time.time())
    use = "in use" if waiting is None else f"{waiting.in_words}; or give --now"
    out.print(f"{installed.path}: {installed.manifest.name}, {use}")
    if settings.bundle != settings.bundles / CURRENT:
        log.warning(
            "but the configuration names %s: remove classifier.bundle from it", settings.bundle
        )


def rollback(config: ConfigFile = None, state: StateDir = None) -> None:
    """Go back to the bundle before the one in use; a running line does so within seconds."""
    from edge.bundle.install import roll_back

    settings = read_settings(config, state=state)
    trust, threads = settings.trust, settings.classifier.threads
    by = settings.classifier.backend
    found = roll_back(settings.bundles, trust.keys, threads, trust.demands, backend=by)
    out.print(f"{found.path}: {found.manifest.name}, in use")


def bundles(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """List the installed bundles, the newest first, and what became of each."""
    from edge.bundle.install import installed_in
    from edge.bundle.listing import as_rows, as_table, reasons
    from edge.bundle.window import waiting_by
    from edge.status import bundle_waiting, read_status

    settings, now = read_settings(config, state=state), time.time()
    status = read_status(settings.state_folder)
    waiting = waiting_by(status, now)
    rows = as_rows(installed_in(settings.bundles), bundle_waiting(status, now), waiting)
    if as_json:
        out.print(json.dumps(rows))
    elif rows:
        print_table(*as_table(rows))
        for line in reasons(rows):
            out.print(safe_line(line))
    else:
        out.print("nothing is installed; a line runs the bundle that comes with the program")


def keygen(
    target: Annotated[Path, typer.Option("--out", **PATH, help="file for the private key")],
) -> None:
    """Make a key to sign bundles with, and print what a device trusts it by."""
    from edge.bundle.signature import make_key

    public = make_key(target)
    out.print(f"{target}: keep it secret; sign with: convert/quantize.py --sign")
    out.print("[trust]")
    out.print(f'keys = ["{public}"]')


def schema() -> None:
    """Print the JSON Schema of manifest.json."""
    from edge.bundle.manifest import manifest_schema

    for line in manifest_schema().splitlines():
        out.print(line)
