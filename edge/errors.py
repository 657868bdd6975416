"""The errors a user sees as one line, each with its documented exit code."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class EwasteError(Exception):
    """Something failed while running; the message says what, where and what to do. Exit code 1."""

    exit_code = 1


class BadInput(EwasteError):
    """What the user gave cannot be used: a path, an image, a dataset, an option. Exit code 2."""

    exit_code = 2


class Refused(EwasteError):
    """A gate said no: parity, accuracy or the verification of a bundle. Exit code 3."""

    exit_code = 3


class CameraLost(EwasteError):
    """The camera did not come back, whatever was tried; a fresh start may help. Exit code 4."""

    exit_code = 4


def first_problem(error: "ValidationError") -> str:
    """Where what came from outside is wrong first, and how; one line, whatever its keys hold."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"{' '.join(where.split())}: {first['msg'].splitlines()[0]}"
