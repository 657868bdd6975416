"""Who asks for something, from where; and the log lines that name both.

The journal of systemd has the time of each line.
"""

import logging
from dataclasses import dataclass
from typing import Any

from edge.errors import one_line
from edge.logs import LineHandler, RateLimit, in_journal
from edge.panel.users import Role

actions = logging.getLogger("edge.panel.actions")
refusals = logging.getLogger("edge.panel.refusals")
"""Apart, with a limit of its own: who is refused cannot crowd out what operators did."""
REFUSALS_A_MINUTE = 60
THE_PAGE = "the page"
"""Who operates the line on a page without a login."""
SCOPE_KEY = "ewaste.visitor"


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        address: from where, as far as trusted proxies say so.
        secure: whether the request came over TLS to a trusted proxy.
        name: of the user; `THE_PAGE` without a login.
        role: of the user; None without a login.
        token: of the session, if the login is by one.
    """

    address: str
    secure: bool = False
    name: str = THE_PAGE
    role: Role | None = None
    token: str = ""


def visitor_of(request: Any) -> Visitor:
    """Return who sent a Starlette request; the guard has found that out."""
    visitor = request.scope.get(SCOPE_KEY)
    return visitor if isinstance(visitor, Visitor) else Visitor("an unknown address")


def log_action(visitor: Visitor, what: str) -> None:
    """Log what a visitor did."""
    actions.info("%s from %s: %s", one_line(visitor.name, 64), visitor.address, one_line(what, 300))


def log_refusal(visitor: Visitor, what: str) -> None:
    """Log what a visitor was refused."""
    name, what = one_line(visitor.name, 64), one_line(what, 300)
    refusals.warning("%s from %s: refused: %s", name, visitor.address, what)


def show_actions() -> None:
    """Write these lines to standard error, a bounded number in a minute."""
    accounts = logging.getLogger("edge.panel.accounts")
    limits = {
        actions: RateLimit(),
        refusals: RateLimit(REFUSALS_A_MINUTE),
        accounts: RateLimit(REFUSALS_A_MINUTE),
    }
    for logger, limit in limits.items():
        handler = LineHandler(with_priority=in_journal())
        handler.addFilter(limit)
        logger.setLevel(logging.INFO)
        logger.handlers = [handler]
        logger.propagate = False
