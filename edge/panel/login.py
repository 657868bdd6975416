"""The login form, and what begins and ends a session."""

import time
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.panel.documents import render as render_page
from edge.panel.door import COOKIE, Door
from edge.panel.fragments import ROLE_NAMES, render
from edge.panel.guard import ACCOUNT, LOGIN, LOGIN_SCRIPT, LOGOUT
from edge.panel.languages import _
from edge.panel.posted import posted
from edge.panel.users import LONGEST_NAME, LONGEST_PASSWORD
from edge.panel.visitor import Visitor, log_action, visitor_of

MOST_BYTES = 4096


class Credentials(BaseModel):
    """The body of a login."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    password: Annotated[str, Field(max_length=4 * LONGEST_PASSWORD, repr=False)]


class Nothing(BaseModel):
    """The body of a logout: `{}`."""

    model_config = ConfigDict(extra="forbid")


def add(app: Any, door: Door) -> None:
    """Add the routes to the FastAPI `app`."""
    from fastapi import Request, Response
    from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

    @app.get(LOGIN)
    async def form() -> Response:
        return HTMLResponse(render_page("login.html"), headers={"Cache-Control": "no-store"})

    @app.get(LOGIN_SCRIPT)
    async def script() -> Response:
        path = Path(__file__).with_name(LOGIN_SCRIPT[1:])
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    @app.post(LOGIN)
    async def log_in(request: Request) -> Response:
        """Begin a session: `{"name": "anna", "password": "..."}`."""
        given = await posted(request, Credentials, MOST_BYTES)
        visitor = visitor_of(request)
        user = await door.attempt(visitor, given.name, given.password)
        token = door.sessions.begin(user, time.monotonic())
        answer = JSONResponse({"name": user.name, "role": user.role.value})
        _set_cookie(answer, request, visitor, token)
        return answer

    @app.post(LOGOUT)
    async def log_out(request: Request) -> Response:
        """End the session: `{}`."""
        await posted(request, Nothing, MOST_BYTES)
        visitor = visitor_of(request)
        if visitor.token:
            door.sessions.end(visitor.token)
            log_action(visitor, "logged out")
        answer = JSONResponse({})
        _set_cookie(answer, request, visitor, "")
        return answer

    @app.get(ACCOUNT)
    async def account(request: Request) -> Response:
        html = account_part(visitor_of(request))
        return JSONResponse({"account": html}, headers={"Cache-Control": "no-store"})


def account_part(visitor: Visitor) -> str:
    """Tell who is logged in, and offer to log out."""
    role = _(ROLE_NAMES[visitor.role]) if visitor.role is not None else ""
    return render("account.html", visitor=visitor, role=role)


def _set_cookie(answer: Any, request: Any, visitor: Visitor, token: str) -> None:
    """Set the cookie of a session; without a token, remove it."""
    answer.set_cookie(
        COOKIE,
        token,
        max_age=None if token else 0,
        path=request.scope.get("root_path", "") + "/",
        secure=visitor.secure,
        httponly=True,
        samesite="strict",
    )
