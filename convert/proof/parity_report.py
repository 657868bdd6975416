"""A comparison as JSON and as one page with pictures, for whoever asks what quantizing changed."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import jinja2

from convert.proof.judging import Candidate
from convert.proof.layers import LayerError
from convert.proof.variants import Row
from edge.files import write_whole


def write_report(
    path: Path,
    name: str,
    chosen: Candidate,
    rows: Sequence[Row],
    layers: Sequence[LayerError],
) -> None:
    """Write `path`.json and `path`.html: how `chosen` compares with Keras, and the whole table.

    The page holds pictures of the photos whose answer changed; it belongs in no bundle.
    """
    report = {
        **chosen.parity.report(),
        "gate": chosen.row.gate,
        "failed": list(chosen.failed),
        "float_layers": list(chosen.float_layers),
        "rows": [asdict(row) for row in rows],
        "layers": [{"layer": each.layer.name, "error": each.error} for each in layers],
    }
    write_whole(path.with_name(f"{path.name}.json"), json.dumps(report, indent=2).encode() + b"\n")
    page = _render(name, chosen, rows, layers)
    write_whole(path.with_name(f"{path.name}.html"), page.encode("utf-8", "backslashreplace"))


def _render(name: str, chosen: Candidate, rows: Sequence[Row], layers: Sequence[LayerError]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("parity.html").render(
        name=name,
        parity=chosen.parity,
        failed=chosen.failed,
        kept=chosen.float_layers,
        rows=rows,
        layers=layers,
        changes=_changes(chosen),
    )


def _changes(chosen: Candidate) -> list[dict]:
    """The images that got another answer, as the page shows them."""
    images, changed = chosen.images, set(chosen.parity.quantized.changed)
    found = []
    for place, name in enumerate(images.names):
        if name in changed:
            keras, quantized = (
                each.probabilities[place] for each in (chosen.keras, chosen.answers)
            )
            found.append(
                {
                    "name": name,
                    "picture": _jpeg(images.pixels[place]),
                    "truth": images.labels[images.truths[place]],
                    "keras": images.labels[int(keras.argmax())],
                    "keras_probability": float(keras.max()),
                    "quantized": images.labels[int(quantized.argmax())],
                    "quantized_probability": float(quantized.max()),
                }
            )
    return found


def _jpeg(pixels: "cv2.typing.MatLike") -> str:
    """A uint8 RGB picture as a data URL."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
