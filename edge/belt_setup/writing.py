"""Changing a few numbers in a configuration file; everything else in it stays as it is.

A place in the text is taken for that of a key only if the file, read again with the number changed
there, says exactly what it should. So whatever form a file has, nothing but the number changes.
"""

import copy
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.config import LARGEST_FILE, Config
from edge.errors import BadInput, first_problem, one_line
from edge.files import read_bounded, write_whole
from edge.gates.schedule import GateSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_PLACES = 200
"""Places in a file that are tried for a key."""
BYTE_ORDER_MARK = "\ufeff"
BACKUP = ".bak"
NUMBER = r"[+-]?[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9_]+)?"
Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Change:
    """A number of the configuration that is to be another one.

    Attributes:
        key: names, and numbers of tables in an array, from the top of the file down.
        value: the new number.
    """

    key: Key
    value: float

    @property
    def name(self) -> str:
        """The key as messages show it."""
        return ".".join(map(str, self.key))


def changed_toml(text: str, changes: Sequence[Change]) -> str:
    """The text of a TOML file with these numbers changed, or added where they are missing.

    Raises:
        BadInput: a number stands where this function does not find it.
        ValueError: the text is no TOML.
    """
    for change in changes:
        desired = _with(tomllib.loads(text), change)
        for tried in islice(_attempts(text, change), MOST_PLACES):
            if _says(tried, desired):
                text = tried
                break
        else:
            raise BadInput(f"its form is too unusual; set {change.name} = {change.value} yourself")
    return text


def with_gates(text: str, gates: Sequence[GateSpec]) -> str:
    """The text of a TOML file that names no gates, with these at its end."""
    end = "\r\n" if "\r\n" in text else "\n"
    for gate in gates:
        lines = ("", "[[gates]]", f"bin = {_quoted(gate.bin)}", f"distance_mm = {gate.distance_mm}")
        text += ("" if not text or text.endswith("\n") else end) + end.join(lines) + end
    return text


def read_toml_text(path: Path | None) -> str:
    """The text of a configuration file with its own line ends; empty without one.

    Raises:
        BadInput: it cannot be read, or is JSON.
    """
    if path is None:
        return ""
    if path.suffix == ".json":
        raise BadInput(f"{path}: is JSON, and only TOML is changed; use --dry-run")
    try:
        return read_bounded(path, LARGEST_FILE).decode("utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BadInput(f"{path}: cannot be read ({why})") from None


def new_text(text: str, changes: Sequence[Change], gates: Sequence[GateSpec], name: str) -> str:
    """The text of a configuration with the changes, which is one that a line takes.

    Args:
        text: as it is.
        changes: to make.
        gates: of the line, to be written where the file names none but a change is of one.
        name: of the file, for messages.

    Raises:
        BadInput: it cannot be changed, or a line would not take it.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    body = text.removeprefix(mark)
    try:
        of_gates = any(change.key[0] == "gates" for change in changes)
        if of_gates and "gates" not in tomllib.loads(body):
            body = with_gates(body, gates)
        body = changed_toml(body, changes)
        Config.model_validate(tomllib.loads(body))
    except ValidationError as error:
        raise BadInput(f"{name}: with what was measured, {first_problem(error)}") from None
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None
    except ValueError as error:
        raise BadInput(f"{name}: not valid TOML ({one_line(error)})") from None
    return mark + body


def write_text(path: Path, text: str) -> Path | None:
    """Write a configuration; what was there is kept beside it with `.bak` behind its name.

    Returns:
        The kept file; None: there was none.

    Raises:
        BadInput: it cannot be written; what was there stays.
    """
    try:
        target = path.resolve() if path.is_symlink() else path  # a link stays a link
        kept = None
        if target.exists():
            kept = target.with_name(target.name + BACKUP)
            mode = target.stat().st_mode & 0o777
            write_whole(kept, read_bounded(target, LARGEST_FILE), mode=mode)
        write_whole(target, text.encode("utf-8"))
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: cannot be written ({why})") from None
    return kept


def _with(content: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """The content of a file with a number changed.

    Raises:
        BadInput: the key leads through something else.
    """
    desired = copy.deepcopy(dict(content))
    at: Any = desired
    try:
        for part in change.key[:-1]:
            at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
        at[change.key[-1]] = change.value
    except (TypeError, LookupError, AttributeError):
        raise BadInput(f"it has no place for {change.name}") from None
    return desired


def _says(text: str, desired: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == desired
    except (ValueError, RecursionError):
        return False


def _attempts(text: str, change: Change) -> Iterator[str]:
    """Texts in which the number may be the new one: in the place of an old one, else added."""
    name, written = str(change.key[-1]), repr(change.value)
    for found in re.finditer(rf"\b{re.escape(name)}\b\"?[ \t]*=[ \t]*({NUMBER})", text):
        yield text[: found.start(1)] + written + text[found.end(1) :]
    if len(change.key) != 2:
        return
    table, end = str(change.key[0]), "\r\n" if "\r\n" in text else "\n"
    line = f"{name} = {written}"
    for found in re.finditer(rf"^[ \t]*\[[ \t]*\"?{table}\"?[ \t]*\][^\n]*$", text, re.MULTILINE):
        header_end = found.end() - text[: found.end()].endswith("\r")
        yield text[:header_end] + end + line + text[header_end:]
    for found in re.finditer(rf"^[ \t]*\"?{table}\"?[ \t]*=[ \t]*{{", text, re.MULTILINE):
        yield f"{text[: found.end()]} {line},{text[found.end() :]}"
        yield f"{text[: found.end()]} {line} {text[found.end() :]}"
    gap = "" if not text or text.endswith("\n") else end
    yield f"{text}{gap}{end if text else ''}[{table}]{end}{line}{end}"
    yield f"{table}.{line}{end}{text}"


def _quoted(text: str) -> str:
    """A name of a bin, which holds neither control characters nor backslashes, as TOML has it."""
    return '"' + text.replace('"', '\\"') + '"'
