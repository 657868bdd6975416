"""The Gradio page itself. Importing this loads Gradio, which takes seconds: only the panel does.

Gradio lays the page out; nothing on it uses Gradio's events, which would open its whole API to
everybody. What moves is filled in by panel.js from our own few endpoints (`edge.panel.app`).
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.routing import Mount

from edge.language import Language
from edge.panel.fragments import render
from edge.panel.guard import SCRIPTS
from edge.panel.languages import N_, Appearance, _, shown_as, spoken
from edge.panel.picture import MAX_BYTES

CSS = Path(__file__).with_name("style.css")
TABS = (
    N_("Line"),
    N_("Items"),
    N_("Review"),
    N_("Quality"),
    N_("History"),
    N_("Health"),
    N_("Try a picture"),
    N_("Model"),
    N_("Learning"),
    N_("Belt"),
)
"""The tabs. Scripts know them by these names, whatever they are called in a language."""
SPOKEN = {
    "failed": N_("The panel does not answer; try again."),
    "failedMode": N_("The panel does not answer; use the emergency stop."),
    "asked": N_("The line is asked."),
    "tooLarge": N_("This file is larger than the maximum of {count} MB; choose a smaller one."),
    "lost": N_("The panel does not answer. This page comes back by itself."),
}
"""What scripts say."""
COLORS_SCRIPT = """
(() => {
	const dark = matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
	const paint = () => {
		const chosen = document.cookie.match(/(?:^|; )ewaste_colors=(light|dark)(?:;|$)/);
		root.dataset.colors = chosen ? chosen[1] : dark.matches ? "dark" : "light";
	};
	dark.addEventListener("change", paint);
	paint();
	root.lang = window.ewasteWords.language;
	root.dir = "ltr";
	root.style.setProperty("--lost", JSON.stringify(window.ewasteWords.lost));
})();
"""
"""Before anything is drawn: light or dark, and the language that screen readers speak."""


def head() -> str:
    """Return what stands in the head of the page: the words of the scripts, and the scripts."""
    words = {
        **{name: _(text) for name, text in SPOKEN.items()},
        "language": spoken().value,
        "tabs": {_(name): name for name in TABS},
    }
    content = json.dumps(words).replace("<", "\\u003c")
    scripts = "".join(f'<script src="{name}" defer></script>' for name in SCRIPTS)
    return f"<script>window.ewasteWords = {content};{COLORS_SCRIPT}</script>{scripts}"


def theme() -> gr.themes.Base:
    """Make a theme with the fonts of the system; nothing is fetched.

    Its dark colors are its light ones, for style.css replaces both by those of the page: whether
    the page is dark is for its own switch to say, not for Gradio.
    """
    fonts = ["system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
    mono = ["ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace"]
    light = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=mono)
    for name in [name for name in vars(light) if name.endswith("_dark")]:
        setattr(light, name, getattr(light, name.removesuffix("_dark")))
    return light


def build_blocks() -> gr.Blocks:
    """Put the page together in the language of whom it is for."""
    with gr.Blocks(title=_("E-waste line"), analytics_enabled=False) as blocks:
        _html("top", render("top.html"))
        with gr.Tab(_("Line")):
            _line_tab()
        with gr.Tab(_("Items")):
            for name in ("search", "item", "found"):
                _part(name)
        with gr.Tab(_("Review")):
            _part("review")
        with gr.Tab(_("Quality")):
            for name in ("quality", "audit"):
                _part(name)
        with gr.Tab(_("History")):
            for name in ("history", "shift", "entries"):
                _part(name)
        with gr.Tab(_("Health")):
            for name in ("alarms", "health", "faults"):
                _part(name)
        with gr.Tab(_("Try a picture")), gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                _html("picture", render("drop.html", most=MAX_BYTES))
            with gr.Column(min_width=320):
                _part("verdict", live=True)
                _part("classes")
                _part("looked")
        with gr.Tab(_("Model")), gr.Row(equal_height=False):
            with gr.Column(scale=13, min_width=320):
                _part("model")
            with gr.Column(scale=8, min_width=320):
                _part("golden")
                _part("bundles")
        with gr.Tab(_("Learning")), gr.Row(equal_height=False):
            with gr.Column(scale=13, min_width=320):
                _part("proposals")
            with gr.Column(scale=8, min_width=320):
                _part("learned")
        with gr.Tab(_("Belt")):
            _part("belt")
    return blocks


def _html(name: str, value: str) -> gr.HTML:
    return gr.HTML(value, elem_id=name, apply_default_css=False)


def _part(name: str, *, live: bool = False) -> gr.HTML:
    """A place that panel.js fills; what changes in one that is `live` is read aloud."""
    role = ' role="status"' if live else ""
    return _html(name, f"<div data-part{role}></div>")


def _line_tab() -> None:
    _part("raised")
    _part("header")
    _part("operation")
    with gr.Row(equal_height=False):
        with gr.Column(scale=13, min_width=320):
            _html("live", render("live.html"))
        with gr.Column(scale=8, min_width=320):
            _part("tiles")
    with gr.Row(equal_height=False):
        with gr.Column(scale=13, min_width=320):
            _part("items")
        with gr.Column(scale=8, min_width=320):
            _part("bars")
            _part("latency")


def mount(app: Any) -> Any:
    """Serve the page at the root of the FastAPI `app`, in English and whatever visitors ask for.

    It has no links that lead to the internet.
    """
    app.router.routes.append(Mount("/", app=_Chosen()))
    return app


class _Chosen:
    """The page in the language of the visitor, as an ASGI application.

    One takes memory and half a second, so it is made when the first visitor of a language comes.
    """

    def __init__(self) -> None:
        self._pages = {Language.ENGLISH: _page_in(Language.ENGLISH)}
        self._making = asyncio.Lock()  # Gradio puts together one at a time

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        language = spoken()
        if language not in self._pages:
            async with self._making:
                if language not in self._pages:
                    loop = asyncio.get_running_loop()
                    self._pages[language] = await loop.run_in_executor(None, _page_in, language)
        await self._pages[language](scope, receive, send)


def _page_in(language: Language) -> Any:
    """Put the page together in a language: an ASGI application."""
    with shown_as(Appearance(language)):
        return _mounted(build_blocks())


def _mounted(blocks: gr.Blocks) -> Any:
    # Gradio looks at paths that clients give only once it believes itself to be launched. None gets
    # that far (`edge.panel.guard`); this is the second lock.
    blocks.has_launched = True
    app = gr.mount_gradio_app(
        FastAPI(),
        blocks,
        path="/",
        theme=theme(),
        css_paths=CSS,
        head=head(),
        footer_links=[],
        run_history=False,
        max_file_size="1kb",
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=False,
    )
    return app.router.routes[-1].app
