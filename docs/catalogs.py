"""Bring the catalogues of the page's languages up to date: `python docs/catalogs.py`.

Every text that is marked in `edge/panel` gets an entry in each catalogue, those that are used no
more lose theirs, and what has no translation yet is listed; write it into the file. `--check`
writes nothing and exits with 3 if a catalogue is out of date or lacks something. A new language
needs a member of `edge.language.Language`; its catalogue is then made here.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from edge.language import Language
from edge.panel.languages import LOCALES

PANEL = LOCALES.parent
HEADER = """msgid ""
msgstr ""
"Language: {}\\n"
"Plural-Forms: {}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
"""Of each file: without dates, which would change the files with every run."""
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}
KEYWORDS = {
    "_": None,
    "N_": None,
    "NP_": ((1, "c"), 2),
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def used() -> Catalog:
    """Collect the texts that are marked in the code and the templates."""
    catalog = Catalog(charset="utf-8")
    found = extract_from_dir(
        PANEL, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=(), strip_comment_tags=True
    )
    for name, _line, message, comments, context in found:
        # Without line numbers, which would change the files with every edit.
        catalog.add(message, None, [(name, None)], auto_comments=comments, context=context)
    return catalog


def path_of(language: Language) -> Path:
    """Return where the catalogue of a language lies."""
    return LOCALES / language.value / "LC_MESSAGES" / "panel.po"


def read_catalog(language: Language) -> Catalog:
    """Read the catalogue of a language; an empty one if there is none yet."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language.value, charset="utf-8")
    with path.open("rb") as stream:
        return read_po(stream, locale=language.value)


def updated(language: Language, texts: Catalog) -> Catalog:
    """Return the catalogue of a language with an entry for each text, in the order of the texts."""
    before = read_catalog(language)
    catalog = Catalog(
        locale=language.value, charset="utf-8", project="ewaste-edge", fuzzy=False, revision_date=""
    )
    for text in sorted(texts, key=lambda each: (each.locations[:1], str(each.id))):
        if not text.id:
            continue
        known = before.get(_first(text), text.context)
        catalog.add(
            text.id,
            known.string if known is not None and known.id == text.id else None,
            sorted(set(text.locations)),
            flags=text.flags,
            auto_comments=text.auto_comments,
            user_comments=known.user_comments if known is not None else (),
            context=text.context,
        )
    return catalog


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def missing(catalog: Catalog) -> Iterator[str]:
    """Yield the texts that have no translation, or one that is only guessed."""
    for message in catalog:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(strings)):
            yield _first(message)


def main() -> int:
    """Update the catalogues, and return the exit code."""
    check, texts, code = "--check" in sys.argv[1:], used(), 0
    for language in Language:
        if language is Language.ENGLISH:
            continue
        before, catalog = read_catalog(language), updated(language, texts)
        if check and keys(before) != keys(catalog):
            print(f"{path_of(language)}: out of date; run python docs/catalogs.py")
            code = 3
        for text in missing(catalog):
            print(f"{path_of(language)}: no translation of {text!r}")
            code = 3
        if not check:
            path_of(language).parent.mkdir(parents=True, exist_ok=True)
            with path_of(language).open("wb") as stream:
                stream.write(HEADER.format(language.value, catalog.plural_forms).encode())
                write_po(stream, catalog, width=100, omit_header=True, include_lineno=False)
    return code


def keys(catalog: Catalog) -> set[tuple[object, object]]:
    """Return what a catalogue has entries for."""
    return {(message.id, message.context) for message in catalog if message.id}


if __name__ == "__main__":
    sys.exit(main())
