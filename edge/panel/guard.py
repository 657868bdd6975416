"""Access control of the page: the first code that a request reaches."""

import asyncio
import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from edge.limits import LOCAL

POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
)
"""Content-Security-Policy: the browser sends requests to this server only.
(Gradio needs inline scripts and styles, and its scripts make HTML.)"""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
_REPLACED = {name for name, _ in HEADERS} | {b"set-cookie"}

TRY, MODE, HEALTH = "/try", "/mode", "/health"
ITEMS, ITEM, QUEUE, REVIEW, QUALITY = "/items", "/item", "/queue", "/review", "/quality"
ENTRIES, WITHDRAW = "/entries", "/entries/withdraw"
OPERATING = (MODE, REVIEW, ENTRIES, WITHDRAW)
"""What changes something, and is not done through a proxy without a login."""
_POSTED = (TRY, ITEMS, ITEM, QUEUE, QUALITY, *OPERATING)
_ASKED = ("/report.html", "/report.csv", "/report.json", "/history.html")
"""What keeps its query."""
MOST_QUERY = 1000
"""The maximum length of a query, bytes."""
OPEN = (HEALTH, "/healthz", "/readyz")
"""What needs no login: it tells only that the page answers, and whether the line can sort."""
SCRIPTS = ("panel.js", "work.js")
_READ = (
    "/live.jpg",
    "/parts.json",
    "/about.json",
    "/search.json",
    "/history.json",
    "/shift.json",
    "/entries.json",
    "/metrics",
)
_OURS = (*_READ, *_ASKED, *OPEN, *(f"/{name}" for name in SCRIPTS))
_GRADIO = ("/", "/theme.css", "/favicon.ico")
_FILE = re.compile(r"/(assets|static)(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_CROP = re.compile(r"/crops/.{1,300}\.jpg", re.DOTALL)
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,8}")
_PASSED_ON = (
    b"accept",
    b"accept-encoding",
    b"if-none-match",
    b"if-modified-since",
    b"content-type",
)
_PROXIES = {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"}
"""Headers that a proxy adds."""
UNAUTHORIZED = 401
_GUESS_SECONDS = 0.5
"""The delay of the answer to a wrong password, s."""


@dataclass(frozen=True)
class Access:
    """Who may see the page.

    Attributes:
        host: the name or address the page listens on.
        hosts: further host names of the page, such as that of a proxy, without ports; `LOCAL` and
            the address that a connection came in on are always accepted.
        root_path: the path under which a proxy serves the page.
        user: the user name to log in with; None: no login.
        password: the password of `user`.
    """

    host: str = LOCAL[1]
    hosts: frozenset[str] = frozenset()
    root_path: str = ""
    user: str | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that is refused."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Guard:
    """ASGI middleware that accepts only the requests that the page itself makes.

    Requests to Gradio lose their query and all but a few headers, by which Gradio would serve
    files, read sessions, and fetch addresses.
    """

    def __init__(self, app: Any, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))  # the first of each name
        refusal = refuse(self._access, scope, headers)
        with_headers = _adding_headers(send)
        if refusal is not None:
            if refusal.status == UNAUTHORIZED and b"authorization" in headers:
                await asyncio.sleep(_GUESS_SECONDS)
            await _answer(refusal, with_headers)
            return
        await self._app(_reduced(self._access, scope, headers), receive, with_headers)


def refuse(access: Access, scope: Any, headers: dict[bytes, bytes]) -> Refusal | None:
    """Return why the request is refused; None if it is accepted."""
    host = _host_of(headers.get(b"host", b"").decode("latin-1"))
    own = (scope.get("server") or ("",))[0]
    if host is None or host[0] not in {*LOCAL, access.host.lower(), *access.hosts, own}:
        return Refusal(
            421, "The page does not know itself by this name; add it to hosts in [panel]."
        )
    refusal = _foreign(access, scope, headers)
    if refusal is not None:
        return refusal
    if access.user is not None and scope["path"] not in OPEN:
        given = headers.get(b"authorization", b"")
        if not _knows(given, access.user, access.password):
            ask = (b"www-authenticate", b'Basic realm="E-waste line", charset="UTF-8"')
            return Refusal(UNAUTHORIZED, "Log in to see the page.", (ask,))
    open_to_all = access.user is None and _is_proxied(access, host[0], headers)
    if open_to_all and scope["path"] in OPERATING:
        return Refusal(403, "Set user and password_file in [panel] to operate the line from here.")
    return _not_allowed(scope, headers)


def _is_proxied(access: Access, host: str, headers: dict[bytes, bytes]) -> bool:
    """Whether a proxy may show the page to others than those at this machine.

    Nginx, for one, asks by the local address and adds no header; but the page works behind it only
    if it is configured.
    """
    configured = access.hosts or access.root_path
    return bool(configured or host not in LOCAL or not _PROXIES.isdisjoint(headers))


def _host_of(given: str) -> tuple[str, str] | None:
    """Parse the name and port of a Host header or an Origin's host; None if it is malformed."""
    match = re.fullmatch(
        r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::(\d{1,5}))?", given
    )
    if match is None:
        return None
    return (match[1] or match[2]).lower(), match[3] or ""


def _foreign(access: Access, scope: Any, headers: dict[bytes, bytes]) -> Refusal | None:
    """Refuse requests that another site caused; following a link to the page is allowed."""
    refusal = Refusal(403, "Asked for by another site.")
    origin = headers.get(b"origin")
    if origin is not None:
        try:
            parts = urlsplit(origin.decode("latin-1"))
        except ValueError:
            return refusal
        host = headers[b"host"].decode("latin-1").lower()
        # Behind a proxy the page may be asked by another name than the browser knows it by.
        own = parts.netloc.lower() in {host, *access.hosts}
        if parts.scheme not in ("http", "https") or not own:
            return refusal
    if headers.get(b"sec-fetch-site", b"none") in (b"none", b"same-origin"):
        return None
    followed = (headers.get(b"sec-fetch-mode"), headers.get(b"sec-fetch-dest"))
    if followed == (b"navigate", b"document") and (scope["method"], scope["path"]) == ("GET", "/"):
        return None
    return refusal


def _knows(given: bytes, user: str, password: str) -> bool:
    kind, _, encoded = given.partition(b" ")
    if kind.lower() != b"basic":
        return False
    try:
        credentials = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(credentials, f"{user}:{password}".encode())


def _not_allowed(scope: Any, headers: dict[bytes, bytes]) -> Refusal | None:
    method, path, query = scope["method"], scope["path"], scope.get("query_string", b"")
    if path in _POSTED:
        allowed: tuple[str, ...] = ("POST",)
    elif path in _OURS or path in _GRADIO or _FILE.fullmatch(path) or _CROP.fullmatch(path):
        allowed = ("GET", "HEAD")
    else:
        return Refusal(404, "There is no such page.")
    if method not in allowed:
        return Refusal(405, "Not done here.", ((b"allow", ", ".join(allowed).encode()),))
    sends = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    if path in _ASKED and len(query) > MOST_QUERY:
        return Refusal(414, "This address is too long.")
    if method != "POST" and sends:
        return Refusal(413, "Send nothing with this request.")
    return None


def _reduced(access: Access, scope: Any, headers: dict[bytes, bytes]) -> Any:
    """Reduce the request to what the page and Gradio need, under the path of the proxy."""
    path = scope["path"]
    ours = path in _POSTED or path in _OURS or path.startswith("/crops/")
    prefix = headers.get(b"x-forwarded-prefix", b"").decode("latin-1").rstrip("/")
    root = access.root_path or (prefix if _PREFIX.fullmatch(prefix) else "")
    kept = [(name, headers[name]) for name in _PASSED_ON if name in headers]
    host = headers[b"host"]
    forwarded = _host_of(headers.get(b"x-forwarded-host", b"").decode("latin-1"))
    if forwarded is not None and forwarded[0] in {*LOCAL, *access.hosts}:
        host = headers[b"x-forwarded-host"]
    scheme = "https" if headers.get(b"x-forwarded-proto") == b"https" else "http"
    if ours:
        kept += [(name, headers[name]) for name in (b"content-length",) if name in headers]
    return {
        **scope,
        "headers": [(b"host", host), *kept],
        "query_string": scope["query_string"] if path in _ASKED else b"",
        "root_path": root,
        "path": root + path,
        "scheme": scheme,
    }


def _adding_headers(send: Any) -> Any:
    async def send_with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", [])
                if name.lower() not in _REPLACED and not name.lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return send_with_headers


async def _answer(refusal: Refusal, send: Any) -> None:
    text = refusal.text.encode() + b"\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
        (b"connection", b"close"),
        *refusal.headers,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
