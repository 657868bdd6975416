"""The parity report: what quantization changed, as JSON and as one HTML page with photos."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from convert.proof.evaluator import EvaluatedVariant
from convert.proof.variants import VariantRow
from convert.tflite.layers import LayerSqnr
from train.pages import jpeg_data_url, template_environment, write_figures_and_page


def write_report(
    path: Path,
    name: str,
    chosen: EvaluatedVariant,
    rows: Sequence[VariantRow],
    layers: Sequence[LayerSqnr],
) -> None:
    """Write `path`.json and `path`.html: the comparison of `chosen` with Keras, and the table.

    The page shows the photos whose top class changed, so it must not be part of a bundle.

    Args:
        path: path without the suffix.
        name: name of the bundle.
        chosen: the variant of the bundle.
        rows: the table of all variants.
        layers: the layers by SQNR, lowest first; empty if they were not ranked.
    """
    report = {
        **chosen.parity.report(),
        "activation_map": None if chosen.activation is None else asdict(chosen.activation),
        "gate": chosen.row.gate,
        "failed": list(chosen.failed),
        "float_layers": list(chosen.float_layers),
        "rows": [asdict(row) for row in rows],
        "layers": [{"layer": each.layer.name, "sqnr_db": each.sqnr_db} for each in layers],
    }
    write_figures_and_page(
        path.with_name(f"{path.name}.json"),
        report,
        path.with_name(f"{path.name}.html"),
        _render(name, chosen, rows, layers),
    )


def _render(
    name: str, chosen: EvaluatedVariant, rows: Sequence[VariantRow], layers: Sequence[LayerSqnr]
) -> str:
    environment = template_environment(Path(__file__).parent)
    return environment.get_template("parity.html").render(
        name=name,
        parity=chosen.parity,
        activation=chosen.activation,
        failed=chosen.failed,
        kept=chosen.float_layers,
        rows=rows,
        layers=layers,
        changes=_changes(chosen),
    )


def _changes(chosen: EvaluatedVariant) -> list[dict]:
    """The images whose top class changed, as the page shows them."""
    images, changed = chosen.images, set(chosen.parity.quantized.changed)
    found = []
    for index, name in enumerate(images.names):
        if name in changed:
            keras, quantized = (
                each.probabilities[index] for each in (chosen.keras, chosen.outputs)
            )
            found.append(
                {
                    "name": name,
                    "picture": jpeg_data_url(images.pixels[index]),
                    "truth": images.labels[images.classes[index]],
                    "keras": images.labels[int(keras.argmax())],
                    "keras_probability": float(keras.max()),
                    "quantized": images.labels[int(quantized.argmax())],
                    "quantized_probability": float(quantized.max()),
                }
            )
    return found
