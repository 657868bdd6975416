"""Who may log in at the moment: the users of the file, and the one account of the configuration."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from edge.config import PanelConfig
from edge.errors import BadInput
from edge.files import read_password
from edge.limits import is_local
from edge.panel.users import User, Users, configured_user, read_users, users_path

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""The file of users is looked at at most this often, s."""


class Accounts:
    """The accounts of the page; follows the file of users while the page runs.

    Once there was an account, the page never opens by itself: it asks for a login until it is
    started again, whatever becomes of the file.
    """

    def __init__(
        self,
        path: Path | None = None,
        configured: User | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the users.

        Args:
            path: the file of users; None: there are none.
            configured: the account of `[panel] user`; a user of the same name replaces it.
            now: the clock, s.
        """
        self._path, self._configured, self._now = path, configured, now
        self._users, self._looked_at = Users(), -LOOK_SECONDS
        self._seen: object = None
        self._needed = configured is not None
        self._error: str | None = None
        self._look()

    @property
    def error(self) -> str | None:
        """Why the file cannot be used; None: it can. Nobody may log in while it cannot."""
        self._look()
        return self._error

    @property
    def needed(self) -> bool:
        """Whether the page asks for a login."""
        self._look()
        return self._needed

    @property
    def by_form(self) -> bool:
        """Whether a browser is led to the login form, instead of being asked by HTTP Basic."""
        self._look()
        return self._needed and (self._configured is None or bool(self._users.users))

    def find(self, name: str) -> User | None:
        """Return the account of this name; None if there is none or the file is damaged."""
        self._look()
        if self._error is not None:
            return None
        found = self._users.find(name)
        configured = self._configured
        if found is None and configured is not None and configured.name == name:
            return configured
        return found

    def _look(self) -> None:
        now = self._now()
        if self._path is None or now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            found = self._path.stat()
            seen: object = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        except OSError as error:
            seen = error.errno
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._users, self._error = read_users(self._path), None
        except BadInput as error:
            self._users, self._error = Users(), str(error)
            log.error("%s", error)
        self._needed = self._needed or bool(self._users.users) or self._error is not None


def accounts_of(panel: PanelConfig, state: Path) -> Accounts:
    """Return the accounts of a page.

    Raises:
        BadInput: the password of the configured account cannot be read.
    """
    path = users_path(panel.users_file, state)
    configured = None
    if panel.user is not None and panel.password_file is not None:
        configured = configured_user(panel.user, read_password(panel.password_file.expanduser()))
    return Accounts(path, configured)


def require_account(panel: PanelConfig, host: str, state: Path) -> None:
    """Check that a page which listens on `host` is not open to the network.

    A damaged file of users passes: the page lets nobody in then, and the line goes on.

    Raises:
        BadInput: everybody on the network could see the page.
    """
    if is_local(host) or panel.user is not None:
        return
    try:
        users = read_users(users_path(panel.users_file, state)).users
    except BadInput:
        return
    if not users:
        raise BadInput(
            f"panel host {host}: everybody on the network could see the page; "
            "add a user (ewaste-edge user add), set user and password_file in [panel], or host "
            "127.0.0.1 behind a proxy"
        )
