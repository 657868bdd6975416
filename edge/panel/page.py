"""The Gradio page itself. Importing this loads Gradio, which takes seconds: only the panel does."""

import time
from pathlib import Path
from typing import Any

import gradio as gr

from edge.bundle import Bundle, load_bundle
from edge.errors import EwasteError
from edge.labels import DEFAULT_HAZARDS
from edge.panel import fragments
from edge.panel.live import read_status
from edge.panel.trial import Trial
from edge.store import ItemRecord, Store

RECENT_ITEMS = 12
REFRESH_SECONDS = 1.0
UPLOADS_SECONDS = (60, 600)
"""How often uploaded pictures are looked through, and from what age they are deleted."""

CSS = Path(__file__).with_name("style.css")

# A screen at the line runs for months: it must come back by itself after the panel was restarted.
HEAD = """
<script>
(() => {
  let known = null;
  setInterval(async () => {
    try {
      const answer = await fetch("health", {cache: "no-store", signal: AbortSignal.timeout(4000)});
      const {started} = await answer.json();
      document.documentElement.classList.remove("panel-lost");
      if (known !== null && known !== started) location.reload();
      known = started;
    } catch { document.documentElement.classList.add("panel-lost"); }
  }, 3000);
})();
</script>
"""


def theme() -> gr.themes.Base:
    """Make a light theme with the fonts of the system; nothing is fetched, nothing turns dark."""
    fonts = ["system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
    mono = ["ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace"]
    light = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=mono)
    for name in [name for name in vars(light) if name.endswith("_dark")]:
        setattr(light, name, getattr(light, name.removesuffix("_dark")))
    return light


def recorded(store_path: Path) -> tuple[list[ItemRecord], int, str]:
    """Read the last items, how many the last minute had, and why there are none."""
    try:
        with Store(store_path, read_only=True) as store:
            now = time.time()
            return store.recent(RECENT_ITEMS), store.decided_since(now - 60, now), ""
    except EwasteError as error:
        return [], 0, str(error)


def known_bundle(bundle_path: Path) -> Bundle | None:
    """Load the bundle; the page of the line does without when there is no good one."""
    try:
        return load_bundle(bundle_path)
    except EwasteError:
        return None


def build_blocks(state_dir: Path, store_path: Path, bundle_path: Path, trial: Trial) -> gr.Blocks:
    """Put the page together."""
    with gr.Blocks(
        title="E-waste line", analytics_enabled=False, delete_cache=UPLOADS_SECONDS
    ) as blocks:
        with gr.Tab("Line"):
            _line_tab(blocks, state_dir, store_path, known_bundle(bundle_path))
        with gr.Tab("Try a picture"):
            _trial_tab(trial, bundle_path)
        with gr.Tab("About") as tab:
            about = _html("about")
            gr.on(
                [blocks.load, tab.select],
                lambda: _about(bundle_path, state_dir),
                outputs=about,
                **_QUIET,
            )
    return blocks


_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
"""Events that repeat: no spinner, and a plain request instead of a stream from the queue."""


def _html(name: str, value: str = "") -> gr.HTML:
    return gr.HTML(value, elem_id=name, apply_default_css=False)


def _line_tab(blocks: gr.Blocks, state_dir: Path, store_path: Path, bundle: Bundle | None) -> None:
    labels = bundle.labels if bundle else ()
    hazards = frozenset(bundle.manifest.hazards) if bundle else DEFAULT_HAZARDS

    def refresh() -> list[str]:
        now, status = time.time(), read_status(state_dir)
        records, per_minute, trouble = recorded(store_path)
        return [
            fragments.header(status, now),
            fragments.tiles(status, per_minute),
            fragments.bars(status.per_label if status else {}, labels, hazards),
            fragments.latencies(status.latency if status else {}),
            fragments.items(records, hazards, trouble),
        ]

    header = _html("header")
    with gr.Row(equal_height=False):
        with gr.Column(scale=13, min_width=320):
            _html("live", '<img src="live.mjpg" alt="The belt, live">')
        with gr.Column(scale=8, min_width=320):
            tiles = _html("tiles")
    with gr.Row(equal_height=False):
        with gr.Column(scale=13, min_width=320):
            items = _html("items")
        with gr.Column(scale=8, min_width=320):
            bars = _html("bars")
            latency = _html("latency")
    timer = gr.Timer(REFRESH_SECONDS)
    parts = [header, tiles, bars, latency, items]
    gr.on([blocks.load, timer.tick], refresh, outputs=parts, **_QUIET)


def _trial_tab(trial: Trial, bundle_path: Path) -> None:
    def judge(upload: dict[str, Any] | None) -> tuple[dict[str, Any], str]:
        nothing = gr.update(value=None, visible=False)
        if upload is None:
            return nothing, ""
        try:
            answer = trial(Path(upload["path"]))
        except EwasteError as error:
            return nothing, fragments.problem(str(error))
        bundle = known_bundle(bundle_path)
        hazards = bundle.manifest.hazards if bundle else DEFAULT_HAZARDS
        shown = gr.update(value=answer.probabilities, visible=True)
        return shown, fragments.verdict(answer.verdict, hazards)

    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            picture = gr.Image(
                type="filepath", sources=["upload"], label="Picture of one item", elem_id="picture"
            )
        with gr.Column(min_width=320):
            verdict = _html("verdict")
            classes = gr.Label(
                num_top_classes=5,
                label="Classes",
                show_heading=False,
                visible=False,
                elem_id="classes",
            )
    # Without Gradio's own decoding: a bad file gets our one line, a good one the line's own reader.
    gr.on(
        [picture.upload, picture.clear],
        judge,
        inputs=picture,
        outputs=[classes, verdict],
        preprocess=False,
        api_visibility="private",
    )


def _about(bundle_path: Path, state_dir: Path) -> str:
    try:
        return fragments.about(load_bundle(bundle_path), read_status(state_dir))
    except EwasteError as error:
        return fragments.problem(str(error))


def mount(app: Any, blocks: gr.Blocks, max_upload: str) -> Any:
    """Serve `blocks` at the root of the FastAPI `app`, without links that lead to the internet."""
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=theme(),
        css_paths=CSS,
        head=HEAD,
        footer_links=[],
        run_history=False,
        max_file_size=max_upload,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=True,
    )
