"""The tab "Model": the bundle in full, its golden check, and the install of another.

What takes long is a job (`edge.panel.jobs`). The line itself is left alone: it follows what is
installed, as after `ewaste-edge install`.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle, check_trust
from edge.bundle.install import CURRENT, install, installed_in, roll_back, take_at_once
from edge.bundle.manifest import CARD, MANIFEST
from edge.bundle.packed import MOST_PACKED_BYTES, unpacked
from edge.bundle.signature import SIGNATURE
from edge.bundle.verify import verify_apart
from edge.bundle.window import opens_at, waiting_by
from edge.config import TrustConfig
from edge.decision.decide import DecisionRules
from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.intervals import wilson
from edge.panel.door import may_administer, may_operate
from edge.panel.fragments import problem, render
from edge.panel.guard import AT_ONCE, CHECK, INSTALL, ROLL_BACK
from edge.panel.jobs import Finding, JobKind, Jobs
from edge.panel.languages import _
from edge.panel.posted import NotDone, NothingMore, in_thread, posted
from edge.panel.sentences import UPLOAD, sentence
from edge.panel.uploads import Busy, TooLarge, UploadLimits, Uploads
from edge.panel.visitor import Visitor, log_action, visitor_of
from edge.status import bundle_at_work, bundle_waiting, read_status

NICENESS = 10
"""How far the golden check stands back for the line: it gets a tenth of what the line takes."""
MOST_BYTES = 200
LONGEST_CARD = 20_000
"""The part of a card that is shown, letters."""
SHOWN_FILES = frozenset({MANIFEST, SIGNATURE, CARD})
"""The files whose contents the tab needs."""
BUNDLES = UploadLimits(MOST_PACKED_BYTES, MOST_PACKED_BYTES, "bundles")


@dataclass(frozen=True)
class Bench:
    """Where bundles are checked, installed, and rolled back.

    Attributes:
        path: the bundle that the page describes; a line that starts takes it.
        state_dir: the state folder of the line.
        trust: which bundles are accepted.
        rules: the decision rules for a bundle; raises where it does not fit the configuration.
    """

    path: Path
    state_dir: Path
    trust: TrustConfig
    rules: Callable[[Bundle], DecisionRules]

    @property
    def store(self) -> Path:
        """Where bundles are installed."""
        return self.state_dir / "bundles"

    @property
    def is_shipped(self) -> bool:
        """Whether the bundle is the one that comes with the program."""
        return _same(self.path, DEFAULT_BUNDLE)

    @property
    def obstacle(self) -> str:
        """Why nothing can be installed here, one line for the visitor; empty: it can."""
        if not self.is_shipped and not _same(self.path, self.store / CURRENT):
            return _(
                "The line is configured to run {path}; remove classifier.bundle from its "
                "configuration, or --bundle from its command, to install bundles here."
            ).format(path=self.path)
        folders = (self.store, *self.store.absolute().parents)
        there = next(each for each in folders if os.access(each, os.F_OK))
        if not os.access(there, os.W_OK | os.X_OK):
            return _(
                "The page cannot write to {path}; use ewaste-edge install on the device."
            ).format(path=there)
        return ""

    def check(self) -> Finding:
        """Prove the bundle again; its model runs in a process of its own."""
        keys, demands = self.trust.keys, self.trust.demands
        found = verify_apart(self.path, keys, demands, niceness=NICENESS)
        failed = [check.message for check in found.checks if not check.passed]
        name = found.bundle.manifest.name if found.bundle is not None else ""
        return Finding(name, tuple(found.checks), failed[0] if failed else "")

    def install(self, arrived: bytearray) -> Finding:
        """Unpack a bundle beside the store, prove it, and make it the one in use.

        Raises:
            BadInput: it does not fit the configuration.
            Refused: it cannot be proved.
            EwasteError: it cannot be written.
        """
        content = bytes(arrived)
        arrived.clear()
        with unpacked(content, self.state_dir) as folder:
            del content
            return self._install_from(folder)

    def _install_from(self, folder: Path) -> Finding:
        trust = self.trust
        try:
            done = install(
                folder,
                self.store,
                trust.keys,
                threads=1,  # the line on the same device comes first
                demands=trust.demands,
                fits=self.rules,
                running=bundle_at_work(read_status(self.state_dir), time.time()),
            )
        except EwasteError as error:
            # Nobody knows the folder that it was unpacked into.
            reason = str(error).replace(f"{folder}/", "").replace(str(folder), UPLOAD)
            raise (Refused if isinstance(error, Refused) else BadInput)(reason) from None
        return Finding(done.manifest.name)

    def roll_back(self) -> Finding:
        """Make the bundle before the one in use the one in use again.

        Raises:
            BadInput: there is none, or it does not fit the configuration.
            Refused: it cannot be proved any more.
        """
        trust = self.trust
        done = roll_back(self.store, trust.keys, 1, trust.demands, fits=self.rules)
        return Finding(done.manifest.name)


def add(
    app: Any,
    state_dir: Path,
    bundle_path: Path,
    *,
    trust: TrustConfig,
    rules: Callable[[Bundle], DecisionRules],
    opened: Callable[[], Bundle],
) -> None:
    """Add the routes of the tab to the FastAPI `app`.

    Args:
        app: the FastAPI application.
        state_dir: the state folder of the line.
        bundle_path: the bundle that the page describes.
        trust: which bundles are accepted.
        rules: the decision rules for a bundle.
        opened: loads the bundle, with the contents of `SHOWN_FILES`.
    """
    from fastapi import Request
    from fastapi.responses import JSONResponse

    bench, jobs = Bench(bundle_path, state_dir, trust, rules), Jobs()
    # One at a time: a bundle that has changed is read in full.
    pool = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def parts(visitor: Visitor, status: int = 200) -> JSONResponse:
        shown = await in_thread(pool, lambda: model_parts(bench, jobs, opened, visitor))
        return JSONResponse(shown, status, headers={"Cache-Control": "no-store"})

    @app.get("/model.json")
    async def show(request: Request) -> JSONResponse:
        return await parts(visitor_of(request))

    @app.post(CHECK)
    async def check(request: Request) -> JSONResponse:
        """Begin the golden check: `{}`."""
        await posted(request, NothingMore, MOST_BYTES)
        jobs.start(JobKind.CHECK, visitor_of(request), bench.check)
        return await parts(visitor_of(request), 202)

    @app.post(ROLL_BACK)
    async def go_back(request: Request) -> JSONResponse:
        """Begin to go back to the bundle before: `{}`."""
        await posted(request, NothingMore, MOST_BYTES)
        await in_thread(pool, lambda: _require_free(bench))
        jobs.start(JobKind.ROLL_BACK, visitor_of(request), bench.roll_back)
        return await parts(visitor_of(request), 202)

    @app.post(AT_ONCE)
    async def hurry(request: Request) -> JSONResponse:
        """Let the running line take what waits while its belt moves: `{}`."""
        await posted(request, NothingMore, MOST_BYTES)
        await in_thread(pool, lambda: _take_at_once(bench, visitor_of(request)))
        return await parts(visitor_of(request))

    _add_install(app, bench, jobs, parts)


def _add_install(app: Any, bench: Bench, jobs: Jobs, parts: Callable[..., Any]) -> None:
    from fastapi import Request
    from fastapi.responses import JSONResponse
    from starlette.requests import ClientDisconnect

    uploads = Uploads(BUNDLES)

    @app.post(INSTALL)
    async def take(request: Request) -> JSONResponse:
        """Take a packed bundle, and begin to install it."""
        if request.headers.get("content-type") != "application/octet-stream":
            # A form of another site cannot send this.
            raise NotDone(415, _("Send the bytes of one bundle as application/octet-stream."))
        jobs.require_idle()
        await in_thread(None, lambda: _require_free(bench))
        try:
            if int(request.headers.get("content-length", 0)) > BUNDLES.most_bytes:
                raise BUNDLES.too_large
            async with uploads.upload() as upload:
                await uploads.take(upload, request.stream())
                content = upload.content
                jobs.start(JobKind.INSTALL, visitor_of(request), lambda: bench.install(content))
        except TooLarge as error:
            raise NotDone(413, sentence(str(error)), {"Connection": "close"}) from None
        except Busy as error:
            raise NotDone(503, sentence(str(error)), {"Connection": "close"}) from None
        except ClientDisconnect:
            raise NotDone(400, _("The request was broken off.")) from None
        return await parts(visitor_of(request), 202)


def model_parts(
    bench: Bench, jobs: Jobs, opened: Callable[[], Bundle], visitor: Visitor
) -> dict[str, str]:
    """Render the tab for a visitor: the name of each part and its HTML."""
    checked = jobs.last(JobKind.CHECK)
    changed = jobs.last(JobKind.INSTALL, JobKind.ROLL_BACK)
    common = {"busy": jobs.running is not None}
    return {
        "model": _card(bench, opened),
        "golden": render("golden.html", job=checked, offered=may_operate(visitor), **common),
        "bundles": _bundles(bench, {"job": changed, "offered": may_administer(visitor), **common}),
    }


def _card(bench: Bench, opened: Callable[[], Bundle]) -> str:
    """Tell what the bundle is and what it was proved by."""
    status = read_status(bench.state_dir)
    try:
        bundle = opened()
        signature = check_trust(bundle, bench.trust.keys)
    except EwasteError as error:
        return problem(str(error))
    parity = bundle.manifest.parity
    card = bundle.contents.get(CARD, b"").decode("utf-8", "replace")
    return render(
        "model.html",
        bundle=bundle,
        parity=parity,
        agreement_interval=wilson(round(parity.agreement * parity.images), parity.images),
        signature=signature,
        card=card[:LONGEST_CARD],
        is_cut=len(card) > LONGEST_CARD,
        other=status if status and status.digest not in ("", bundle.digest) else None,
        is_shipped=bench.is_shipped,
    )


def _bundles(bench: Bench, values: dict[str, Any]) -> str:
    """List what is installed, and offer to install more."""
    try:
        installed = installed_in(bench.store)
    except EwasteError as error:
        return problem(str(error))
    current = next((each for each in installed if each.in_use), None)
    status = read_status(bench.state_dir)
    runs = status.digest if status else ""
    now = time.time()
    ready = bundle_waiting(status, now)
    waits = bool(ready and current and current.bundle and current.bundle.digest == ready)
    waiting = waiting_by(status, now)
    return render(
        "bundles.html",
        installed=installed,
        runs_it=bool(current and current.bundle and current.bundle.digest == runs),
        can_go_back=bool(current and any(each.number < current.number for each in installed)),
        waits=waits,
        rest=waiting.rest.name if waits and waiting else "",
        opening=opens_at(waiting.window) if waiting else "",
        obstacle=bench.obstacle,
        is_shipped=bench.is_shipped,
        trusts_all=not bench.trust.keys,
        most=BUNDLES.most_bytes,
        one_line=one_line,
        **values,
    )


def _take_at_once(bench: Bench, visitor: Visitor) -> None:
    """Let the running line take the bundle that waits at once.

    Raises:
        NotDone: none waits, or it cannot be written down.
    """
    _require_free(bench)
    if not bundle_waiting(read_status(bench.state_dir), time.time()):
        raise NotDone(409, _("No bundle waits for the line."))
    try:
        found = take_at_once(bench.store)
    except EwasteError as error:
        raise NotDone(503, sentence(str(error))) from None
    log_action(visitor, f"the line takes the bundle {found.manifest.name} at once")


def _require_free(bench: Bench) -> None:
    if bench.obstacle:
        raise NotDone(409, bench.obstacle)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths name one entry of one folder, whatever links lead to the folder."""
    return one.parent.resolve() / one.name == other.parent.resolve() / other.name
