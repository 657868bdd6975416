"""Access control of the page: the first code that a request reaches."""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from edge.language import Language
from edge.limits import LOCAL, is_local
from edge.panel.accounts import Accounts
from edge.panel.door import UNAUTHORIZED, Door, may_administer, may_operate
from edge.panel.languages import _, appearance_of, shown_as
from edge.panel.posted import NotDone
from edge.panel.visitor import SCOPE_KEY, Visitor, log_refusal

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
LOGIN, LOGOUT, LOGIN_SCRIPT, ACCOUNT = "/login", "/logout", "/login.js", "/account.json"
ENTRIES, WITHDRAW = "/entries", "/entries/withdraw"
AUDIT, DRAW = "/audit", "/audit/draw"
BEGIN, END, CANCEL = "/pieces/begin", "/pieces/end", "/pieces/cancel"
CHECK, INSTALL, ROLL_BACK = "/model/check", "/model/install", "/model/rollback"
AT_ONCE = "/model/now"
ACCEPT, REJECT, UNLEARN = "/learning/accept", "/learning/reject", "/learning/rollback"
_LEARNING = (ACCEPT, REJECT, UNLEARN)
PICTURE, FORGET, WRITE = "/belt/picture", "/belt/forget", "/belt/write"
_BELT = (PICTURE, FORGET, WRITE)
ADMINISTERING = (INSTALL, ROLL_BACK, AT_ONCE, *_BELT)
"""What changes the bundle or the configuration of the line; it takes an admin who is logged in."""
SHEET_FILES = ("/sheet-a4.pdf", "/sheet-letter.pdf", "/sheet-a3.pdf")
ALARMS, ACKNOWLEDGE, SHELVE = "/alarms.json", "/alarms/acknowledge", "/alarms/shelve"
UNSHELVE, REFERENCE = "/alarms/unshelve", "/alarms/reference"
_ALARMS = (ACKNOWLEDGE, SHELVE, UNSHELVE, REFERENCE)
_MODEL = (CHECK, *ADMINISTERING)
_JUDGING = (REVIEW, ENTRIES, WITHDRAW, DRAW, BEGIN, END, CANCEL)
OPERATING = (MODE, *_JUDGING, *_ALARMS, *_MODEL, *_LEARNING)
"""What changes something: how the line works, the records, and what is entered by hand; and what
takes much time of the processor."""
_POSTED = (TRY, ITEMS, ITEM, QUEUE, QUALITY, AUDIT, LOGOUT, *OPERATING)
_NOT_FOR_VIEWERS = (*OPERATING, TRY)
_OPEN = (HEALTH, "/healthz", "/readyz")
"""What tells only that the page answers, and whether the line can sort."""
_BEFORE_LOGIN = (*_OPEN, LOGIN, LOGIN_SCRIPT, "/choices.js")
"""What everybody may ask for."""
_OF_LOGIN = (LOGIN, LOGOUT, LOGIN_SCRIPT)
"""What a page that needs no login lacks."""
_ASKED = ("/report.html", "/report.csv", "/report.json", "/history.html")
"""What keeps its query."""
MOST_QUERY = 1000
"""The maximum length of a query, bytes."""
SCRIPTS = ("choices.js", "panel.js", "work.js", "tabs.js", "model.js", "learning.js", "belt.js")
_READ = (
    "/live.jpg",
    "/parts.json",
    "/model.json",
    "/learning.json",
    "/belt.json",
    *SHEET_FILES,
    "/search.json",
    "/history.json",
    "/shift.json",
    "/entries.json",
    "/metrics",
    ALARMS,
    ACCOUNT,
    LOGIN_SCRIPT,
)
_OURS = (*_READ, *_ASKED, *_OPEN, *(f"/{name}" for name in SCRIPTS))
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


@dataclass(frozen=True)
class Access:
    """Who may see the page.

    Attributes:
        host: the name or address the page listens on.
        hosts: further host names of the page, such as that of a proxy, without ports; `LOCAL` and
            the address that a connection came in on are always accepted.
        root_path: the path under which a proxy serves the page.
        proxies: addresses of trusted proxies on other machines, which say where a request came
            from; those on this machine are always trusted.
        accounts: who may log in; without one the page needs no login.
        language: of visitors who name none of ours.
    """

    host: str = LOCAL[1]
    hosts: frozenset[str] = frozenset()
    root_path: str = ""
    proxies: frozenset[str] = frozenset()
    accounts: Accounts = field(default_factory=Accounts)
    language: Language = Language.ENGLISH


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

    def __init__(self, app: Any, access: Access, door: Door) -> None:
        self._app, self._access, self._door = app, access, door

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))  # the first of each name
        cookies, accepted = headers.get(b"cookie", b""), headers.get(b"accept-language", b"")
        with shown_as(appearance_of(cookies, accepted, self._access.language)):
            await self._admit(scope, headers, receive, send)

    async def _admit(
        self, scope: Any, headers: dict[bytes, bytes], receive: Any, send: Any
    ) -> None:
        visitor = coming_from(self._access, scope, headers)
        refusal = refuse(self._access, scope, headers)
        if refusal is None and self._access.accounts.needed and scope["path"] not in _BEFORE_LOGIN:
            try:
                visitor = await self._door.identify(headers, visitor)
            except NotDone as refused:
                refusal = _unidentified(self._access, scope, headers, refused)
        if refusal is None:
            refusal = refuse_visitor(self._access, visitor, scope, headers)
        path = scope["path"]
        with_headers = _adding_headers(send, sets_cookie=path in (LOGIN, LOGOUT))
        if refusal is not None:
            await _answer(refusal, with_headers)
            return
        reduced = {**_reduced(self._access, scope, headers), SCOPE_KEY: visitor}
        await self._app(reduced, receive, with_headers)


def coming_from(access: Access, scope: Any, headers: dict[bytes, bytes]) -> Visitor:
    """Return where a request comes from; trusted proxies say so, and the last of them counts."""
    peer = (scope.get("client") or ("an unknown address",))[0]
    if not is_local(peer) and peer not in access.proxies:
        return Visitor(peer)
    given = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
    last = given[-1].decode("latin-1").rpartition(",")[2].strip() if given else ""
    try:
        address = str(ipaddress.ip_address(last))
    except ValueError:
        address = peer
    return Visitor(address, secure=headers.get(b"x-forwarded-proto") == b"https")


def refuse(access: Access, scope: Any, headers: dict[bytes, bytes]) -> Refusal | None:
    """Return why a request is refused whoever sends it; None if it is not."""
    host = _host_of(headers.get(b"host", b"").decode("latin-1"))
    own = (scope.get("server") or ("",))[0]
    if host is None or host[0] not in {*LOCAL, access.host.lower(), *access.hosts, own}:
        return Refusal(
            421, _("The page does not know itself by this name; add it to hosts in [panel].")
        )
    return _foreign(access, scope, headers)


def refuse_visitor(
    access: Access, visitor: Visitor, scope: Any, headers: dict[bytes, bytes]
) -> Refusal | None:
    """Return why this visitor's request is refused; None if it is accepted."""
    path = scope["path"]
    if path in _NOT_FOR_VIEWERS and not may_operate(visitor):
        log_refusal(visitor, f"{path}: needs an operator, not a viewer")
        return Refusal(403, _("A viewer only looks; log in as an operator to do this."))
    if path in ADMINISTERING and not may_administer(visitor):
        log_refusal(visitor, f"{path}: needs an admin")
        return Refusal(403, _("This takes an admin: ewaste-edge user add NAME --role admin."))
    host = _host_of(headers[b"host"].decode("latin-1"))
    open_to_all = visitor.role is None and host and _is_proxied(access, host[0], headers)
    if open_to_all and path in OPERATING:
        log_refusal(visitor, f"{path}: needs a login")
        return Refusal(403, _("Add a user (ewaste-edge user add) to operate the line from here."))
    if path in _OF_LOGIN and not access.accounts.needed:
        return Refusal(404, _("There is no such page."))
    return _not_allowed(scope, headers)


def _unidentified(
    access: Access, scope: Any, headers: dict[bytes, bytes], refused: NotDone
) -> Refusal:
    """Answer who is not logged in; a browser gets the form if there are users, not its own."""
    more = tuple((name.lower().encode(), value.encode()) for name, value in refused.headers.items())
    if refused.status != UNAUTHORIZED:
        return Refusal(refused.status, refused.text, more)
    browser = b"mozilla" in headers.get(b"user-agent", b"").lower()
    if browser and access.accounts.by_form:
        if (scope["method"], scope["path"]) == ("GET", "/"):
            return Refusal(303, refused.text, ((b"location", LOGIN[1:].encode()),))
        return Refusal(UNAUTHORIZED, refused.text)
    ask = (b"www-authenticate", b'Basic realm="E-waste line", charset="UTF-8"')
    return Refusal(UNAUTHORIZED, refused.text, (*more, ask))


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
    refusal = Refusal(403, _("Asked for by another site."))
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
    asked = scope["method"], scope["path"]
    if followed == (b"navigate", b"document") and asked in (("GET", "/"), ("GET", LOGIN)):
        return None
    return refusal


def _not_allowed(scope: Any, headers: dict[bytes, bytes]) -> Refusal | None:
    method, path, query = scope["method"], scope["path"], scope.get("query_string", b"")
    if path in _POSTED:
        allowed: tuple[str, ...] = ("POST",)
    elif path == LOGIN:
        allowed = ("GET", "HEAD", "POST")
    elif path in _OURS or path in _GRADIO or _FILE.fullmatch(path) or _CROP.fullmatch(path):
        allowed = ("GET", "HEAD")
    else:
        return Refusal(404, _("There is no such page."))
    if method not in allowed:
        return Refusal(405, _("Not done here."), ((b"allow", ", ".join(allowed).encode()),))
    sends = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    if path in _ASKED and len(query) > MOST_QUERY:
        return Refusal(414, _("This address is too long."))
    if method != "POST" and sends:
        return Refusal(413, _("Send nothing with this request."))
    return None


def _reduced(access: Access, scope: Any, headers: dict[bytes, bytes]) -> Any:
    """Reduce the request to what the page and Gradio need, under the path of the proxy."""
    path = scope["path"]
    ours = path in (*_POSTED, *_OURS, LOGIN) or path.startswith("/crops/")
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


def _adding_headers(send: Any, sets_cookie: bool = False) -> Any:
    removed = _REPLACED - {b"set-cookie"} if sets_cookie else _REPLACED

    async def send_with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", [])
                if name.lower() not in removed and not name.lower().startswith(b"access-control-")
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
