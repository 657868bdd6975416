"""What a browser posts: one small JSON object, which no form of another site can send."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.errors import EwasteError, first_problem
from edge.panel.languages import _, in_context
from edge.panel.sentences import sentence

Schema = TypeVar("Schema", bound=BaseModel)
Value = TypeVar("Value")
JSON = "application/json"


class NothingMore(BaseModel):
    """The body of a request that has nothing to say: `{}`."""

    model_config = ConfigDict(extra="forbid")


class NotDone(Exception):
    """A request that is not done; the browser gets the status and one line."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


def not_done(error: EwasteError) -> NotDone:
    """Return the answer to what was asked for at a wrong time, or cannot be done so."""
    return NotDone(409, _("Not done: {reason}.").format(reason=sentence(str(error))))


def add_refusals(app: Any) -> None:
    """Let `NotDone` and the errors of the store become answers `{"error": "..."}`."""
    from fastapi.responses import JSONResponse

    async def refuse(request: Any, refused: NotDone) -> Any:
        return JSONResponse({"error": refused.text}, refused.status, headers=refused.headers)

    async def fail(request: Any, error: EwasteError) -> Any:
        return JSONResponse({"error": sentence(str(error))}, 503)

    app.exception_handler(NotDone)(refuse)
    app.exception_handler(EwasteError)(fail)


async def posted(request: Any, schema: type[Schema], most: int) -> Schema:
    """Read the body of a request.

    Args:
        request: a Starlette request.
        schema: what it must hold.
        most: its largest size, bytes.

    Raises:
        NotDone: it is no JSON, too long, or not what the schema says, or the browser hung up.
    """
    from starlette.requests import ClientDisconnect

    if request.headers.get("content-type") != JSON:
        raise NotDone(415, _("Send JSON as {kind}.").format(kind=JSON))
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                raise NotDone(413, _("This is too long."))
    except ClientDisconnect:
        raise NotDone(400, _("The request was broken off.")) from None
    try:
        return schema.model_validate_json(bytes(content))
    except ValidationError as error:
        text = _("This cannot be asked for ({problem}).").format(problem=first_problem(error))
        raise NotDone(400, text) from None


async def in_thread(pool: Any, work: Callable[[], Value]) -> Value:
    """Run what waits for a disk in a thread of `pool`."""
    import asyncio

    return await asyncio.get_running_loop().run_in_executor(pool, in_context(work))
