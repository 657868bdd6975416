"""The page in four languages: who gets which, numbers and dates, and how it looks in a browser."""

import json
import math
import time
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import PanelConfig
from edge.language import Language
from edge.panel import formats, fragments
from edge.panel.guard import Access
from edge.panel.languages import (
    Appearance,
    ColorScheme,
    accepted_language,
    appearance_of,
    shown_as,
)
from edge.panel.sentences import FORMS, fault_name, figures, sentence
from edge.status import Status, write_status
from tests.support.full_page import EVIL, READY, TABS, full_panel, running
from tests.support.served import Panel, get, keep_picture, open_tab

SIZES = ((1280, 800), (1024, 600), (390, 844))
NOW = 1_700_000_000.0
BEYOND = """() => [...document.querySelectorAll("table, form, button, input, select, strong, p")]
    .filter((each) => each.offsetParent && !each.closest(".wide, .unseen, .tab-container"))
    .filter((each) => each.getBoundingClientRect().right > innerWidth
        || (each.matches("strong") && each.scrollWidth > each.parentElement.clientWidth))
    .map((each) => each.outerHTML.slice(0, 120))"""
"""What is cut off at the right edge, or does not fit its box."""


@pytest.fixture(scope="module")
def server(tmp_path_factory, bundle, make_record):
    server = full_panel(tmp_path_factory.mktemp("languages"), bundle.path, make_record)
    yield server
    server.close()


@pytest.mark.parametrize(
    ("cookies", "accepted", "language"),
    [
        (b"", b"", "es"),
        (b"", b"de-CH,de;q=0.9,en;q=0.8", "de"),
        (b"", b"fr-FR, hi;q=0.4, de;q=0.3", "hi"),
        (b"", b"de;q=0, fr", "es"),
        (b"ewaste_language=hi", b"de", "hi"),
        (b"a=b; ewaste_language=de; c", b"es", "de"),
        (b"ewaste_language=../../etc/passwd", b"fr", "es"),
        (b"ewaste_language=DE", b"en", "en"),
        (b"ewaste_language=\xff\x00<script>", b"\xff\xfe;q=9", "es"),
    ],
)
def test_the_cookie_comes_first_then_the_browser_then_the_configuration(
    cookies, accepted, language
):
    shown = appearance_of(cookies, accepted, Language.SPANISH)
    assert (shown.language.value, shown.colors) == (language, ColorScheme.SYSTEM)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_a_visitor_sends_is_one_of_the_four(cookies, accepted):
    shown = appearance_of(cookies, accepted, Language.ENGLISH)
    assert shown.language in Language and shown.colors in ColorScheme
    assert accepted_language(accepted * 500) in (None, *Language)


def test_the_configuration_names_a_language_of_ours():
    for language in Language:
        assert PanelConfig(language=language.value).language == language.value
    with pytest.raises(ValueError, match="language"):
        PanelConfig(language="../de")


@pytest.mark.parametrize(
    ("language", "number", "share", "moment"),
    [
        (Language.ENGLISH, "1,234,567.5", "93.4%", "2023-11-14 22:13:20"),
        (Language.GERMAN, "1.234.567,5", "93,4\xa0%", "14.11.2023 22:13:20"),
        (Language.SPANISH, "1.234.567,5", "93,4\xa0%", "14/11/2023 22:13:20"),
        (Language.HINDI, "12,34,567.5", "93.4%", "14/11/2023 22:13:20"),
    ],
)
def test_numbers_and_dates(language, number, share, moment, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        with shown_as(Appearance(language)):
            assert formats.decimal(1_234_567.5, 1) == number
            assert formats.percent(0.934, 1) == share
            assert formats.show_moment(NOW) == moment
            for odd in (math.nan, math.inf):
                assert formats.decimal(odd, 1) == formats.percent(odd) == formats.NOTHING
            for odd in (None, math.nan, 1e300, -1e300):
                assert formats.show_moment(odd) == formats.NOTHING
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_the_line_wrote_is_translated_piece_by_piece():
    with shown_as(Appearance(Language.GERMAN)):
        assert sentence("too late for small; Mouse 93% over 3 views") == (
            "zu spät für small; Maus 93\xa0% aus 3 Ansichten"
        )
        assert sentence("Printer 71%, but may be Battery 12% or Mouse 9.5%") == (
            "Drucker 71\xa0%, aber vielleicht Batterie 12\xa0% oder Maus 9,5\xa0%"
        )
        assert sentence("something new happened; the line ended") == (
            "something new happened; die Linie wurde beendet"
        )
        assert sentence("x: is damaged; move it away").startswith("x: ist beschädigt;")
        assert sentence("/a/b.db: cannot be written (No space left on device); odd: the end") == (
            "/a/b.db: nicht beschreibbar (Auf dem Datenträger ist kein Platz mehr); odd: the end"
        )
        assert sentence("live view: [Errno 28] No space left on device: '/run/x'") == (
            "Live-Ansicht: [Fehler 28] Auf dem Datenträger ist kein Platz mehr: '/run/x'"
        )
        assert figures("small 70%-80.5%, 84 °C") == "small 70\xa0%-80,5\xa0%, 84 °C"
        assert sentence(
            "the bundle b was rolled back to a: items unknown or by hand: 100.0% over 28 items, "
            "10.5% over 200 before"
        ) == (
            "das Modellpaket b wurde auf a zurückgenommen: Teile unbekannt oder von Hand: "
            "100,0\xa0% bei 28 Teilen, davor 10,5\xa0% bei 200"
        )
        assert figures("the picture is black") == "das Bild ist schwarz"
        assert fault_name("live view") == "Live-Ansicht" and fault_name("GPIO") == "GPIO"
        for odd in (EVIL, "{label} {share} over 1 view", "%(count)s", "a" * 5000, ""):
            assert sentence(odd) == figures(odd) == odd
        slow = "x 1% by its size of 1 mm, " * 70
        begun = time.monotonic()
        sentence(slow[:1990])
        assert time.monotonic() - begun < 5
    assert sentence("the line ended") == "the line ended"


def test_every_form_of_a_sentence_is_found_again_in_every_language():
    values = {"share": "12.5%", "threshold": "50%", "count": "7", "number": "3.5"}
    values |= {"other_number": "4.5", "other_share": "2.5%", "other_count": "8"}
    for form in FORMS:
        text = form.format_map(_Places(values))
        for language in (Language.GERMAN, Language.SPANISH, Language.HINDI):
            with shown_as(Appearance(language)):
                assert sentence(text) != text, form


class _Places(dict):
    def __missing__(self, name: str) -> str:
        return {"hazards": "Battery 3%", "label": "Mouse", "other_label": "PCB"}.get(name, "x1")


@pytest.mark.parametrize("language", Language)
def test_what_machines_read_is_the_same_in_every_language(server, language):
    running(server.state)
    asked = {"Accept-Language": language.value}
    parts = json.loads(get(f"{server.url}parts.json", **asked)[2])
    shown = {"en": "12,345", "de": "12.345", "es": "12.345", "hi": "12,345"}[language.value]
    assert f"<strong>{shown}</strong>" in parts["tiles"]
    assert 'data-mode="pause"' in parts["operation"] and "width:100.0%" in parts["bars"]
    assert "&lt;img src=x" in parts["items"] and "<img src=x" not in "".join(parts.values())
    search = json.loads(get(f"{server.url}search.json", **asked)[2])["search"]
    assert '<option value="out_of_distribution">' in search and '<option value="Mouse">' in search
    query = urlencode({"from": time.strftime("%Y-%m-%d", time.localtime(time.time() - 86400))})
    csv = get(f"{server.url}report.csv?{query}", **asked)[2].decode()
    assert "weighed in,,small,1234.5,kg" in csv
    report = json.loads(get(f"{server.url}report.json?{query}", **asked)[2])
    assert report["weighed_in_kg"] == {"small": 1234.5} and report["items"] == 1307
    html = get(f"{server.url}report.html?{query}", **asked)[2].decode()
    written = {"en": "1,234.5", "de": "1.234,5", "es": "1.234,5", "hi": "1,234.5"}
    assert f"<td>{written[language.value]}</td>" in html
    assert f'<html lang="{language.value}" dir="ltr"' in html and "<img src=x" not in html
    assert b"ewaste_items_total" in get(f"{server.url}metrics", **asked)[2]


def test_visitors_of_two_languages_do_not_get_each_others_parts(server):
    running(server.state)
    for _round in range(3):
        for language, word in (("de", "Pro Minute"), ("es", "Por minuto"), ("en", "Per minute")):
            parts = json.loads(get(f"{server.url}parts.json", **{"Accept-Language": language})[2])
            assert word in parts["tiles"]


def test_a_refusal_is_in_the_language_of_the_visitor(server):
    given = {"Accept-Language": "de", "Cookie": "ewaste_language=es"}
    status, answer = server.post("item", {"item": "nothing"}, **given)
    assert (status, answer) == (404, {"error": "Ese objeto ya no existe."})
    assert "No existe" not in get(f"{server.url}nothing", **given)[2].decode()
    assert get(f"{server.url}nothing", **given)[2].decode() == "Esa página no existe.\n"


def test_a_line_in_spain_speaks_spanish_to_who_names_nothing(tmp_path, bundle):
    page = Panel(tmp_path, bundle.path, access=Access(language=Language.SPANISH))
    try:
        assert "Por minuto" in get(f"{page.url}parts.json")[2].decode()
        assert "Línea de residuos electrónicos" in get(page.url)[2].decode()
    finally:
        page.close()


def test_colors_and_language_are_chosen_on_the_page_and_kept(server, browser):
    running(server.state)
    context = browser.new_context(locale="de-DE", color_scheme="dark")
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    page.wait_for_selector(".tile >> text=Pro Minute")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(16, 22, 28)", "dark, as the system"
    assert page.get_attribute("html", "lang") == "de"
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{background} === 'rgb(241, 244, 247)'")
    page.select_option("[data-choice=ewaste_colors]", "dark")
    page.wait_for_function(f"window.ewasteWords && {background} === 'rgb(16, 22, 28)'")
    page.wait_for_selector("[data-choice=ewaste_language]")
    page.select_option("[data-choice=ewaste_language]", "hi")
    page.wait_for_selector("html[lang=hi] .tile")
    assert page.input_value("[data-choice=ewaste_colors]") == "dark"
    report = context.new_page()
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() - 86400))
    report.goto(f"{server.url}report.html?from={day}")
    assert report.get_attribute("html", "lang") == "hi"
    assert report.evaluate(background) == "rgb(16, 22, 28)"
    assert errors == []
    context.close()


def test_the_page_is_worked_by_keys_alone(server, browser):
    running(server.state)
    page = browser.new_page(locale="en-US", viewport={"width": 1280, "height": 800})
    page.goto(server.url)
    page.wait_for_selector("#raised button")
    page.wait_for_selector("#operation button")
    page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert page.evaluate(f"{focused}.matches('[data-skip]')")
    assert page.evaluate(f"{focused}.getBoundingClientRect().top >= 0"), "the skip link is seen"
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.getAttribute('role')") == "tabpanel"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.dataset.openTab") == "Health", "alarms come first"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.dataset.mode") == "sort"
    page.keyboard.press("Tab")
    outline = page.evaluate(f"getComputedStyle({focused}).outlineStyle")
    assert outline == "solid", "who works by keys sees where"
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status] >> text=asked")
    assert page.evaluate(f"{focused}.dataset.mode") == "pause", "the focus stays"
    page.get_by_role("tab", name="Items", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#found .open")
    page.locator("#found .open").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#item .one:focus")
    page.close()


def test_screen_readers_hear_the_state_but_not_every_number(server, browser):
    running(server.state)
    page = browser.new_page(locale="en-US")
    page.goto(server.url)
    page.wait_for_selector("#heard", state="attached")
    page.wait_for_function("document.querySelector('#heard').textContent.includes('running')")
    page.evaluate(
        "window.heard = 0; new MutationObserver(() => window.heard++)"
        ".observe(document.querySelector('#heard'), {childList: true, characterData: true})"
    )
    shown = page.inner_text("#header .banner")
    status = {"updated_at": time.time() + 3, "state": "running"}
    write_status(server.state, Status(**status, message="the model has failed 9 times"))
    page.wait_for_function(
        "text => document.querySelector('#header .banner').innerText !== text", arg=shown
    )
    assert page.evaluate("window.heard") == 0
    write_status(server.state, Status(**{**status, "state": "stopped"}))
    page.wait_for_function("document.querySelector('#heard').textContent.startsWith('stopped')")
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_tab_fits_in_every_language(server, browser, language, size):
    context = browser.new_context(
        locale=language.value,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if size[0] == 1024 else "light",
    )
    page = context.new_page()
    running(server.state)
    page.goto(server.url)
    page.wait_for_selector(".tile")
    for name, ready in zip(TABS[language], READY, strict=True):
        running(server.state)
        open_tab(page, name)
        page.wait_for_selector(ready)
        page.wait_for_timeout(400)
        for element in ("documentElement", "body"):
            assert page.evaluate(f"document.{element}.scrollWidth") <= size[0], name
        assert page.evaluate(BEYOND) == [], name
        keep_picture(page, f"{language.value}-{size[0]}-{READY.index(ready)}")
    assert page.evaluate("window.hacked") is None
    page.goto(f"{server.url}report.html?from=2026-01-01")
    keep_picture(page, f"{language.value}-{size[0]}-report")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate("window.hacked") is None
    context.close()


@pytest.mark.parametrize("language", Language)
def test_markup_in_labels_stays_text(language):
    with shown_as(Appearance(language)):
        text = fragments.bars({EVIL: 3}, [EVIL], {EVIL}) + fragments.problem(EVIL)
    assert "<img" not in text and "&lt;img src=x" in text
