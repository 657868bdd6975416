"""The panel: a web page in a process of its own that only reads what the line writes."""

import asyncio
import functools
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.bundle import Bundle
from edge.config import Config, decision_rules
from edge.decision import DecisionRules
from edge.errors import EwasteError
from edge.panel.fragments import STALE_SECONDS
from edge.panel.listener import listen
from edge.panel.live import LIVE_NAME, read_live, read_status
from edge.panel.trial import Classify, Trial
from edge.store import Store

MAX_UPLOAD = "20mb"
LIVE_SECONDS = 0.1
REPEAT_SECONDS = 1.0
BOUNDARY = b"--frame\r\n"
OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Read by Gradio and its parts while they are imported."""

POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
)
"""Content-Security-Policy: whatever Gradio's page might ask for, the browser asks only us.
(Gradio needs inline scripts and styles.)"""


def build(
    state_dir: Path,
    store_path: Path,
    bundle_path: Path,
    rules: Callable[[Bundle], DecisionRules] | None = None,
    classify: Classify | None = None,
) -> Any:
    """Build the page as a FastAPI application.

    Args:
        state_dir: where the line puts its picture and status (`edge.panel.live`).
        store_path: the file of item records.
        bundle_path: the bundle that pictures are tried with, and that "About" tells of.
        rules: how a tried picture is decided on; by default as in the default configuration.
        classify: stands in for the bundle's own model.
    """
    os.environ.update(OFFLINE)
    # Only now: it takes seconds, and reads the environment.
    from fastapi import FastAPI

    from edge.panel import page

    trial = Trial(bundle_path, rules or functools.partial(decision_rules, Config()), classify)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.stopping = lambda: False
    app.add_middleware(_Policy)
    _add_endpoints(app, state_dir, store_path)
    blocks = page.build_blocks(state_dir, store_path, bundle_path, trial)
    return page.mount(app, blocks, MAX_UPLOAD)


def _add_endpoints(app: Any, state_dir: Path, store_path: Path) -> None:
    from fastapi import Response
    from fastapi.responses import StreamingResponse

    started = time.time()

    @app.get("/health")
    def health() -> dict[str, float]:
        return {"started": started}

    @app.get("/live.mjpg")
    async def live() -> Response:
        stream = live_stream(state_dir, app.state.stopping)
        kind = "multipart/x-mixed-replace; boundary=frame"
        return StreamingResponse(stream, media_type=kind, headers={"Cache-Control": "no-store"})

    @app.get("/crops/{name:path}")
    def crop(name: str) -> Response:
        try:
            with Store(store_path, read_only=True) as store:
                jpeg = store.crop(name.removesuffix(".jpg"))
        except EwasteError:
            jpeg = None
        if jpeg is None:
            return Response(status_code=404)
        # An item's crop never changes.
        cache = {"Cache-Control": "private, max-age=604800, immutable"}
        return Response(jpeg, media_type="image/jpeg", headers=cache)


@functools.cache
def placeholder() -> bytes:
    """Draw the JPEG shown while the line sends no picture."""
    picture = np.full((540, 960, 3), (59, 41, 30), np.uint8)
    text, font = "no picture from the line", cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, 1.4, 2)
    place = ((960 - width) // 2, 280)
    cv2.putText(picture, text, place, font, 1.4, (240, 232, 226), 2, cv2.LINE_AA)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def live_picture(state_dir: Path, now: float) -> bytes:
    """Read the newest picture of the line; the placeholder if it or the status is too old."""
    status = read_status(state_dir)
    if status is None or abs(now - status.updated_at) > STALE_SECONDS:
        return placeholder()
    try:
        taken_at = (state_dir / LIVE_NAME).stat().st_mtime
    except OSError:
        return placeholder()
    fresh = abs(now - taken_at) <= STALE_SECONDS
    return (read_live(state_dir) if fresh else None) or placeholder()


async def live_stream(state_dir: Path, stopping: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield the parts of an MJPEG stream until `stopping`.

    An unchanged picture is repeated now and then: a client that is gone is noticed by sending.
    """
    sent, sent_at = b"", 0.0
    yield BOUNDARY
    while not stopping():
        picture = live_picture(state_dir, time.time())
        if picture != sent or time.monotonic() - sent_at > REPEAT_SECONDS:
            sent, sent_at = picture, time.monotonic()
            head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
            # The boundary ends the part: without it, browsers show a picture one too late.
            yield head + picture + b"\r\n" + BOUNDARY
        await asyncio.sleep(LIVE_SECONDS)


class _Policy:
    """ASGI middleware that adds `POLICY` to every answer."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                extra = [
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await self._app(scope, receive, send_with_policy)


def serve(
    state_dir: Path,
    store_path: Path,
    bundle_path: Path,
    host: str = "127.0.0.1",
    port: int = 7860,
    rules: Callable[[Bundle], DecisionRules] | None = None,
) -> None:
    """Serve the page until SIGTERM or SIGINT, then leave by `SystemExit(0)`.

    Arguments as for `build`; port 0 takes a free one, which is printed. For the main thread.

    Raises:
        BadInput: the port is in use.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # also during the slow import
    with (
        listen(host, port) as listener,
        tempfile.TemporaryDirectory(prefix="ewaste-panel-") as uploads,
    ):
        os.environ["GRADIO_TEMP_DIR"] = uploads
        app = build(state_dir, store_path, bundle_path, rules)
        import uvicorn

        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        )
        app.state.stopping = lambda: server.should_exit
        # When it stops, uvicorn cancels Gradio's open streams and calls each of them an error.
        logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
        shown = f"[{host}]" if ":" in host else host
        print(f"panel: http://{shown}:{listener.getsockname()[1]}", flush=True)
        server.run(sockets=[listener])
