"""The catalogues of the page's languages: complete, and true to the source."""

import re
import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("babel")

from edge.language import Language
from edge.panel.fragments import TEMPLATES

SCRIPT = Path(__file__).parents[2] / "docs" / "catalogs.py"
PLACE = re.compile(r"%\(\w+\)s|%%|\{\w*\}")
TAG = re.compile(r"</?\w[^>]*>")
LANGUAGES = [language for language in Language if language is not Language.ENGLISH]
UNITS = {"kg", "CSV", "JSON", "ms", "p99", "U", "lang", "(Language)"}
"""What is the same in every language, or helps those who cannot read the language."""


@pytest.fixture(scope="module")
def script() -> dict:
    return runpy.run_path(str(SCRIPT))


def test_no_catalog_lacks_a_text_or_has_one_too_many(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["catalogs.py", "--check"])
    assert script["main"]() == 0, capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_places_and_the_tags_of_its_source(script, language):
    translated = 0
    for message in script["read_catalog"](language):
        if not message.id:
            continue
        sources = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        places = {each for source in sources for each in PLACE.findall(source)}
        for text in texts:
            assert sorted(set(PLACE.findall(text))) == sorted(places), message.id
            assert sorted(TAG.findall(text)) == sorted(TAG.findall(sources[0])), message.id
            if isinstance(message.id, str):
                assert text[:1].isspace() == message.id[:1].isspace(), message.id
            translated += text not in sources
    assert translated > 350, "hardly anything is translated"


def test_every_template_marks_what_a_person_reads():
    """Outside of marks there are no words, neither between tags nor in attributes that are read."""
    from edge.panel.documents import _environment

    found = []
    styles = TEMPLATES / "colors.html"  # stands within <style>
    for path in sorted({*TEMPLATES.glob("*.html")} - {styles}):
        source = path.read_text(encoding="utf-8")
        text, marked = "", False
        for _line, kind, value in _environment.lex(source):
            if kind == "name" and value in ("trans", "endtrans"):
                marked = value == "trans"
            if kind == "data" and not marked:
                text += value
            elif kind == "variable_begin":
                text += "\N{OBJECT REPLACEMENT CHARACTER}"
        text = re.sub(r"(?s)<(style|script)\b.*?</\1>|<!--.*?-->", "", text)
        read = re.findall(r'\b(?:alt|title|aria-label|placeholder)="([^"]*)"', text)
        read.append(re.sub(r"<[^>]*>", " ", text))
        words = {word for each in read for word in re.findall(r"[^\W\d_]\w*|\(\w+\)", each)}
        found += [f"{path.name}: {word}" for word in sorted(words - UNITS)]
    assert found == []
