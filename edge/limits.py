"""What the values of a configuration may be: each kind with its range, which messages name."""

import ipaddress
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
)
from pydantic.functional_validators import PlainValidator, WrapValidator

from edge.errors import one_line

LONGEST_NAME, LONGEST_TOPIC, LONGEST_HOST, LONGEST_PATH = 100, 200, 253, 4096
LONGEST_ADDRESS = 1000
LOCAL = ("localhost", "127.0.0.1", "::1")
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Range:
    """Tells the JSON Schema, and so `docs/configuration.md`, the range of a number.

    Attributes:
        check: what checks it, with a message of its own.
        low, high: both included.
    """

    check: WrapValidator
    low: float
    high: float

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """What the check does."""
        return self.check.__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema of the number, with its range."""
        return {**handler(core_schema), "minimum": self.low, "maximum": self.high}


def within(low: float, high: float) -> Range:
    """A number from `low` to `high`, both included."""
    return _ranged(low, high, f"a number from {low:,} to {high:,}")


def whole(low: int, high: int) -> Range:
    """A whole number from `low` to `high`, both included."""
    return _ranged(low, high, f"a whole number from {low:,} to {high:,}")


def _ranged(low: float, high: float, expected: str) -> Range:
    def check(value: Any, accept: Any) -> Any:
        try:
            return bounded(accept(value), low, high, expected, value)
        except ValidationError:
            raise ValueError(f"{_shown(value)}; must be {expected}") from None

    return Range(WrapValidator(check), low, high)


def bounded(number: Any, low: float, high: float, expected: str, given: Any = None) -> Any:
    """A number that lies in its range; `given` is what it was made from.

    Raises:
        ValueError: it does not, is none, or was made from a truth.
    """
    value = number if given is None else given
    numeric = isinstance(number, int | float) and not isinstance(value, bool)
    if not numeric or not low <= number <= high:  # NaN is not
        raise ValueError(f"{_shown(value)}; must be {expected}")
    return number


def _shown(value: Any) -> str:
    """A number for a message; what is none is not repeated, as it may be a secret out of place."""
    if not isinstance(value, int | float):
        return "not a number"
    try:
        return one_line(str(value).lower() if isinstance(value, bool) else str(value), 40)
    except ValueError:  # more digits than Python writes out
        return "a number without end"


def is_local(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    if host in LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may be of any address


def nfc(text: str) -> str:
    """The text with its letters composed: é is one code point or two, and reads the same."""
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """What names are compared by that a person takes for one: without case, letters composed."""
    return nfc(nfc(text).casefold())


def _check_text(text: str, longest: int) -> str:
    if not text or len(text) > longest or not text.isprintable() or text != text.strip():
        raise ValueError(
            f"{one_line(text, 40)!r}; must be 1 to {longest} printable characters, with no space "
            "around them"
        )
    return text


def _check_bin(text: str) -> str:
    if {"/", "\\"} & set(_check_text(text, LONGEST_NAME)) or text.startswith("."):
        raise ValueError(f"{text!r}; a bin is no path: no slash in it, no dot before it")
    return text


def _check_topic(text: str) -> str:
    _check_text(text, LONGEST_TOPIC)
    if {"#", "+"} & set(text) or text.startswith("$") or len(text.encode()) > 1000:
        raise ValueError(f"{text!r}; must have no # or +, and no $ before it")
    return text


def _check_host(text: str) -> str:
    """A name or an address, out of the brackets that IPv6 has in a URL."""
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    wrong = not host or len(host) > LONGEST_HOST or not host.isprintable()
    if wrong or set("/@[] ") & set(host):  # not repeated: there may be a password in it
        raise ValueError("must be a name or an address alone, without mqtt://, user or path")
    return host


def _check_repository(text: str) -> str:
    """The address of a repository; what it serves is signed and no secret, so plain HTTP will do.

    It is not repeated: there may be a password in it.
    """
    expected = "must be https://HOST/PATH, http://HOST/PATH, or file:///PATH, with no user in it"
    try:
        parts = urlsplit(text)
        named = (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        raise ValueError(expected) from None
    plain = text.isascii() and text.isprintable() and not {" ", "?", "#", "@", "\\"} & set(text)
    is_file = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    is_web = parts.scheme in ("https", "http") and named
    if not plain or len(text) > LONGEST_ADDRESS or not (is_file or is_web):
        raise ValueError(expected)
    return text


def _check_source(value: Any) -> str:
    """Any file name, also one that is no text; what opens it looks closer."""
    if not isinstance(value, str):
        raise ValueError('must be text in quotes, also a number: "0"')
    if not value or "\0" in value or len(value) > LONGEST_PATH:
        raise ValueError(f"must be 1 to {LONGEST_PATH} characters")
    return value


def _check_format(text: str) -> str:
    if not text.isascii() or not text.replace(" ", "a").isalnum() or len(text) > 16:
        raise ValueError("must be up to 16 letters and digits, such as MJPG or BGR888")
    return text


def _check_path(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise ValueError("must be a path, text in quotes")
    text = os.fspath(value)
    control = any(letter < " " or letter == "\x7f" for letter in text)
    if not text or control or len(text) > LONGEST_PATH:
        raise ValueError(
            f"must be a path of 1 to {LONGEST_PATH} characters, none of them a control character"
        )
    return Path(text)


Share = Annotated[float, within(0, 1)]
Gain = Annotated[float, within(0.01, 64)]
Pin = Annotated[int, whole(0, 27)]
Port = Annotated[int, whole(1, 65535)]
Name = Annotated[str, AfterValidator(lambda text: _check_text(text, LONGEST_NAME))]
Text = Annotated[str, AfterValidator(lambda text: _check_text(text, LONGEST_TOPIC))]
BinName = Annotated[str, AfterValidator(_check_bin)]
Topic = Annotated[str, AfterValidator(_check_topic)]
Host = Annotated[str, AfterValidator(_check_host)]
RepositoryUrl = Annotated[str, AfterValidator(_check_repository)]
Format = Annotated[str, AfterValidator(_check_format)]
Source = Annotated[str, PlainValidator(_check_source), WithJsonSchema({"type": "string"})]
AnyPath = Annotated[
    Path, PlainValidator(_check_path), WithJsonSchema({"type": "string", "format": "path"})
]
