"""Which language a visitor reads, and what a text of the page is in it.

A text is written in English where it is used, as `_("Log out")`. The catalogues of the other
languages lie in `locales/<language>/LC_MESSAGES/panel.po`. What a person reads is put into words
while a request is answered: the guard has then entered the appearance that the visitor chose.
"""

import functools
import gettext
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from edge.language import Language

LOCALES = Path(__file__).with_name("locales")
LANGUAGE_COOKIE, COLORS_COOKIE = "ewaste_language", "ewaste_colors"
LONGEST_HEADER = 1000
"""What is read of a header of a visitor, characters."""
MOST_ACCEPTED = 20
_ACCEPTED = re.compile(
    r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,40})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*"
)

Value = TypeVar("Value")


class ColorScheme(str, Enum):
    """Light, dark, or as the visitor's system has it; the value is that of the cookie."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class Appearance:
    """How a visitor sees the page.

    Attributes:
        language: of its texts, numbers, and dates.
        colors: light or dark.
    """

    language: Language = Language.ENGLISH
    colors: ColorScheme = ColorScheme.SYSTEM


_PLAIN = Appearance()
_shown: ContextVar[Appearance] = ContextVar("shown", default=_PLAIN)


def appearance() -> Appearance:
    """Return how the page is shown to whom is answered now."""
    return _shown.get()


def spoken() -> Language:
    """Return the language of whom is answered now."""
    return _shown.get().language


@contextmanager
def shown_as(chosen: Appearance) -> Iterator[None]:
    """Within: the page is shown so."""
    token = _shown.set(chosen)
    try:
        yield
    finally:
        _shown.reset(token)


def in_context(work: Callable[[], Value]) -> Callable[[], Value]:
    """Return `work` as a thread of a pool can do it for the visitor who is answered now."""
    return functools.partial(copy_context().run, work)


def appearance_of(cookies: bytes, accepted: bytes, fallback: Language) -> Appearance:
    """Return how a visitor sees the page; what is no choice is passed over.

    Args:
        cookies: the Cookie header, in which the switches of the page keep what was chosen.
        accepted: the Accept-Language header.
        fallback: the language of who accepts none of ours.
    """
    by_cookie = _member(Language, cookie_of(cookies, LANGUAGE_COOKIE))
    colors = _member(ColorScheme, cookie_of(cookies, COLORS_COOKIE))
    return Appearance(
        by_cookie or accepted_language(accepted) or fallback, colors or ColorScheme.SYSTEM
    )


def _member(kind: Callable[[str], Value], text: str) -> Value | None:
    try:
        return kind(text)
    except ValueError:
        return None


def cookie_of(cookies: bytes, asked: str) -> str:
    """Return the value of a cookie in a Cookie header; empty: there is none."""
    for part in cookies.decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == asked:
            return value
    return ""


def accepted_language(header: bytes) -> Language | None:
    """Return the language that a visitor likes best of ours; None: none of them."""
    liked: list[tuple[float, Language]] = []
    parts = header[:LONGEST_HEADER].decode("latin-1").split(",")
    for part in parts[:MOST_ACCEPTED]:
        match = _ACCEPTED.fullmatch(part)
        language = _member(Language, match[1].lower()) if match else None
        weight = float(match[2] or 1) if match else 0.0
        if language is not None and weight > 0:
            liked.append((weight, language))
    return max(liked, key=lambda pair: pair[0])[1] if liked else None


@functools.cache
def catalogue(language: Language) -> gettext.NullTranslations:
    """Read the catalogue of a language; that of English is empty."""
    if language is Language.ENGLISH:
        return gettext.NullTranslations()
    # Only here: a report without a page needs it not.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    path = LOCALES / language.value / "LC_MESSAGES" / "panel.po"
    compiled = io.BytesIO()
    with path.open("rb") as stream:
        write_mo(compiled, read_po(stream, locale=language.value))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _(text: str) -> str:
    """Return a text in the language of whom is answered now."""
    return catalogue(spoken()).gettext(text)


def ngettext(one: str, several: str, count: int) -> str:
    """Return a text for a number of things."""
    return catalogue(spoken()).ngettext(one, several, count)


def pgettext(context: str, text: str) -> str:
    """Return a text that means different things in different places, which `context` names."""
    return catalogue(spoken()).pgettext(context, text)


def npgettext(context: str, one: str, several: str, count: int) -> str:
    """Return a text for a number of things in a context."""
    return catalogue(spoken()).npgettext(context, one, several, count)


def N_(text: str) -> str:  # noqa: N802 - the mark that the tools of gettext know
    """Mark a text for the catalogues; it is translated where it is shown."""
    return text


def NP_(context: str, text: str) -> str:  # noqa: N802 - see N_
    """Mark a text that means different things in different places."""
    return text


def install(environment: Any) -> None:
    """Let the templates of a jinja2 environment use `_()` and `{% trans %}`."""
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(
        _, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext
    )
