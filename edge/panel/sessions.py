"""Sessions of persons who logged in by the form: kept in memory only, bounded, and expiring."""

import hashlib
import secrets
from dataclasses import dataclass, replace

from edge.panel.users import User

TOKEN_BYTES = 32
IDLE_SECONDS = 4 * 3600.0
"""A session that asks for nothing for this long is over, s."""
LONGEST_SECONDS = 24 * 3600.0
"""A session is over after this time in all, s."""
MOST_SESSIONS, MOST_OF_A_USER = 512, 16
LONGEST_TOKEN = 100


@dataclass(frozen=True)
class Session:
    """One login.

    Attributes:
        user: who logged in, with the password's hash of that time.
        began_at: when, monotonic s.
        asked_at: when it last asked for something, monotonic s.
    """

    user: User
    began_at: float
    asked_at: float

    def is_over(self, now: float) -> bool:
        """Whether it has expired."""
        return now - self.asked_at > IDLE_SECONDS or now - self.began_at > LONGEST_SECONDS


class Sessions:
    """All sessions. Keys are digests of tokens: a look-up tells nothing about a token by its time.

    A further session of a user ends the one that has been idle longest; when there are too many in
    all, that of anybody ends.
    """

    def __init__(self) -> None:
        """Begin without a session."""
        self._sessions: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, user: User, now: float) -> str:
        """Begin a session and return its token."""
        self._sessions = {
            key: each for key, each in self._sessions.items() if not each.is_over(now)
        }
        same = [key for key, each in self._sessions.items() if each.user.name == user.name]
        if len(same) >= MOST_OF_A_USER:
            self._end_idlest(same)
        elif len(self._sessions) >= MOST_SESSIONS:
            self._end_idlest(list(self._sessions))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._sessions[_key(token)] = Session(user, now, now)
        return token

    def find(self, token: str, now: float) -> Session | None:
        """Return the session of a token, which is idle no more; None if there is none."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        key = _key(token)
        session = self._sessions.get(key)
        if session is None:
            return None
        if session.is_over(now):
            del self._sessions[key]
            return None
        self._sessions[key] = session = replace(session, asked_at=now)
        return session

    def end(self, token: str) -> None:
        """End the session of a token, if there is one."""
        self._sessions.pop(_key(token[:LONGEST_TOKEN]), None)

    def _end_idlest(self, keys: list[bytes]) -> None:
        del self._sessions[min(keys, key=lambda key: self._sessions[key].asked_at)]


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
