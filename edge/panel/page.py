"""The Gradio page itself. Importing this loads Gradio, which takes seconds: only the panel does.

Gradio lays the page out; nothing on it uses Gradio's events, which would open its whole API to
everybody. What moves is filled in by panel.js from our own few endpoints (`edge.panel.app`).
"""

from pathlib import Path
from typing import Any

import gradio as gr

from edge.panel.guard import SCRIPTS
from edge.panel.picture import MAX_BYTES

CSS = Path(__file__).with_name("style.css")
HEAD = "".join(f'<script src="{name}" defer></script>' for name in SCRIPTS)

DROP = f"""
<label class="drop" data-most="{MAX_BYTES}">
  <em>Picture of one item</em>
  <input type="file" accept="image/jpeg,image/png,image/webp,image/bmp">
  <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4
    M17 8l-5-5-5 5M12 3v12"/></svg>
  <span>Drop a picture here</span><small>- or -</small><span>click to choose one</span>
  <img alt="The picture to try"><img class="map" alt="" hidden>
  <button type="button" class="clear" title="Clear">&#x2715;</button>
</label>
<label class="camera">Take a picture with the camera
  <input type="file" accept="image/*" capture="environment"></label>
"""


def theme() -> gr.themes.Base:
    """Make a light theme with the fonts of the system; nothing is fetched, nothing turns dark."""
    fonts = ["system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
    mono = ["ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace"]
    light = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=mono)
    for name in [name for name in vars(light) if name.endswith("_dark")]:
        setattr(light, name, getattr(light, name.removesuffix("_dark")))
    return light


def build_blocks() -> gr.Blocks:
    """Put the page together."""
    with gr.Blocks(title="E-waste line", analytics_enabled=False) as blocks:
        _part("account")
        with gr.Tab("Line"):
            _line_tab()
        with gr.Tab("Items"):
            for name in ("search", "item", "found"):
                _part(name)
        with gr.Tab("Review"):
            _part("review")
        with gr.Tab("Quality"):
            for name in ("quality", "audit"):
                _part(name)
        with gr.Tab("History"):
            for name in ("history", "shift", "entries"):
                _part(name)
        with gr.Tab("Health"):
            for name in ("alarms", "health", "faults"):
                _part(name)
        with gr.Tab("Try a picture"), gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                _html("picture", DROP)
            with gr.Column(min_width=320):
                _part("verdict")
                _part("classes")
                _part("looked")
        with gr.Tab("Model"), gr.Row(equal_height=False):
            with gr.Column(scale=13, min_width=320):
                _part("model")
            with gr.Column(scale=8, min_width=320):
                _part("golden")
                _part("bundles")
    return blocks


def _html(name: str, value: str) -> gr.HTML:
    return gr.HTML(value, elem_id=name, apply_default_css=False)


def _part(name: str) -> gr.HTML:
    """A place that panel.js fills."""
    return _html(name, "<div data-part></div>")


def _line_tab() -> None:
    _part("raised")
    _part("header")
    _part("operation")
    with gr.Row(equal_height=False):
        with gr.Column(scale=13, min_width=320):
            _html("live", '<img src="live.jpg" alt="The belt, live">')
        with gr.Column(scale=8, min_width=320):
            _part("tiles")
    with gr.Row(equal_height=False):
        with gr.Column(scale=13, min_width=320):
            _part("items")
        with gr.Column(scale=8, min_width=320):
            _part("bars")
            _part("latency")


def mount(app: Any, blocks: gr.Blocks) -> Any:
    """Serve `blocks` at the root of the FastAPI `app`, without links that lead to the internet."""
    # Gradio looks at paths that clients give only once it believes itself to be launched. None gets
    # that far (`edge.panel.guard`); this is the second lock.
    blocks.has_launched = True
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=theme(),
        css_paths=CSS,
        head=HEAD,
        footer_links=[],
        run_history=False,
        max_file_size="1kb",
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=False,
    )
