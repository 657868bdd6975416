"""The errors a user sees as one line, each with its documented exit code."""

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


NOT_SHOWN = "(not shown)"
_SECRET = re.compile(
    r"[@?=&]|//|%(25)*(40|3a)|:[^:]*/|\b(rtsps?|rtmps?|https?|rtp|srt|udp):", re.IGNORECASE
)
"""Signs of an address, of parts of one or of one that is mistyped."""


class EwasteError(Exception):
    """Something failed while running; the message says what, where and what to do. Exit code 1."""

    exit_code = 1


class BadInput(EwasteError):
    """What the user gave cannot be used: a path, an image, a dataset, an option. Exit code 2."""

    exit_code = 2


class PortInUse(BadInput):
    """Another program has the port."""


class Refused(EwasteError):
    """A gate refused: parity, accuracy, or the verification of a bundle. Exit code 3."""

    exit_code = 3


class CameraLost(EwasteError):
    """The camera did not come back, whatever was tried; a restart may help. Exit code 4."""

    exit_code = 4


def first_problem(error: "ValidationError") -> str:
    """Where what came from outside is wrong first, and how; one line, whatever its keys hold."""
    first = error.errors(include_url=False, include_input=False)[0]
    parts = (str(part) for part in first["loc"])
    where = (
        ".".join(NOT_SHOWN if may_hold_secret(part[:1000]) else part for part in parts)
        or "the file"
    )
    message = first["msg"].splitlines()[0].removeprefix("Value error, ")
    return f"{one_line(where)}: {one_line(message, 500)}"


def may_hold_secret(text: str) -> bool:
    """Whether a text looks like the address of a camera, however mistyped, with its password."""
    return _SECRET.search(unicodedata.normalize("NFKC", text)) is not None


def one_line(text: object, longest: int = 120) -> str:
    """A text from outside for a message: one line of that length, without terminal escapes."""
    line = " ".join(str(text)[: 4 * longest].split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
