"""Who is at the door: sessions and passwords, each attempt bounded in number and in work."""

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from edge.errors import one_line
from edge.panel.accounts import Accounts
from edge.panel.languages import _, cookie_of
from edge.panel.posted import NotDone
from edge.panel.sessions import Sessions
from edge.panel.throttle import Throttle
from edge.panel.users import LONGEST_NAME, Role, User, configured_user
from edge.panel.visitor import Visitor, log_action, log_refusal

COOKIE = "ewaste_session"
MOST_WAITING = 20
"""Attempts that wait for the one thread that hashes."""
GUESS_SECONDS = 0.5
"""The delay of the answer to a wrong password, s."""
KNOWN_SECONDS, MOST_KNOWN = 600.0, 64
"""How long the credentials of HTTP Basic need no hash again, s, and for how many."""
NOBODY = "somebody"
UNAUTHORIZED = 401


class Door:
    """Says who a visitor is. All of it is for one event loop; scrypt runs in one thread beside it.

    Attributes:
        accounts: who may log in.
        sessions: of those who logged in by the form.
    """

    def __init__(self, accounts: Accounts, *, now: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            accounts: who may log in.
            now: the clock, s.
        """
        self.accounts, self.sessions, self._now = accounts, Sessions(), now
        self._throttle = Throttle()
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="scrypt")
        self._waiting = 0
        # An unknown name costs the same work.
        self._nobody = configured_user(NOBODY, secrets.token_hex())
        self._secret = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[User, float]] = {}
        self._running: dict[bytes, asyncio.Task[User]] = {}

    async def identify(self, headers: dict[bytes, bytes], visitor: Visitor) -> Visitor:
        """Return the visitor with name and role.

        Raises:
            NotDone: nobody is logged in there, or the password is wrong or tried too often.
        """
        self.require_accounts()
        token = token_of(headers.get(b"cookie", b""))
        session = self.sessions.find(token, self._now())
        if session is not None:
            user = self.accounts.find(session.user.name)
            if user is not None and user.password == session.user.password:
                return replace(visitor, name=user.name, role=user.role, token=token)
            self.sessions.end(token)  # the password was changed, or the user removed
        credentials = basic_of(headers.get(b"authorization", b""))
        if credentials is None:
            raise NotDone(UNAUTHORIZED, _("Log in to see the page."))
        user = await self._by_basic(visitor, *credentials)
        return replace(visitor, name=user.name, role=user.role)

    def require_accounts(self) -> None:
        """Check that the accounts are known.

        Raises:
            NotDone: the file of users cannot be used.
        """
        if self.accounts.error is not None:
            raise NotDone(503, _("Nobody can log in: the users cannot be read; see the log."))

    async def attempt(self, visitor: Visitor, name: str, password: str) -> User:
        """Check a name and a password.

        Raises:
            NotDone: they are wrong, were tried too often, or too many wait.
        """
        self.require_accounts()
        at, account = self._now(), name[: LONGEST_NAME + 1]
        guest = replace(visitor, name=f"login of {one_line(account, 64)!r}")
        admission = self._throttle.admit(visitor.address, account, at)
        if admission.refused_s > 0:
            log_refusal(guest, "too many attempts")
            after = {"Retry-After": str(1 + int(admission.refused_s))}
            raise NotDone(429, _("Too many attempts; wait a minute, then try again."), after)
        await asyncio.sleep(admission.delay_s)
        user = self.accounts.find(name)
        if not await self._accepts(user or self._nobody, password) or user is None:
            log_refusal(guest, "wrong name or password")
            await asyncio.sleep(GUESS_SECONDS)
            raise NotDone(UNAUTHORIZED, _("Wrong name or password."))
        self._throttle.succeed(visitor.address, account, self._now())
        log_action(replace(visitor, name=user.name), f"logged in as {user.role.value}")
        return user

    async def _accepts(self, user: User, password: str) -> bool:
        if self._waiting >= MOST_WAITING:
            raise NotDone(503, _("Too many log in at once; try again."), {"Retry-After": "2"})
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._hashing, user.accepts, password)
        finally:
            self._waiting -= 1

    async def _by_basic(self, visitor: Visitor, name: str, password: str) -> User:
        """Check the credentials that a browser or a script sends with each request."""
        key = self._key(visitor.address, name, password)
        user, until = self._known.get(key, (None, 0.0))
        if user is not None and self._now() < until and self.accounts.find(name) == user:
            return user
        self._known.pop(key, None)
        # Requests at once with the same credentials are one attempt.
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(self.attempt(visitor, name, password))
            self._running[key] = task
            task.add_done_callback(lambda done: self._remember(key, done))
        return await asyncio.shield(task)

    def _remember(self, key: bytes, done: "asyncio.Task[User]") -> None:
        self._running.pop(key, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._known[key] = done.result(), self._now() + KNOWN_SECONDS
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _key(self, *parts: str) -> bytes:
        digest = hashlib.blake2b(key=self._secret)
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.digest()


def may_operate(visitor: Visitor) -> bool:
    """Whether the role of a visitor allows to operate; without a login the address decides."""
    return visitor.role is None or Role(visitor.role).operates


def may_administer(visitor: Visitor) -> bool:
    """Whether a visitor may change the bundle of the line: only an admin who is logged in."""
    return visitor.role is not None and Role(visitor.role).administers


def token_of(cookies: bytes) -> str:
    """Return the token of the session in a Cookie header; empty: there is none."""
    return cookie_of(cookies, COOKIE)


def basic_of(given: bytes) -> tuple[str, str] | None:
    """Return name and password of an Authorization header; None: it is none of HTTP Basic."""
    kind, _space, encoded = given.partition(b" ")
    if kind.lower() != b"basic":
        return None
    try:
        credentials = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, colon, password = credentials.partition(":")
    return (name, password) if colon else None
