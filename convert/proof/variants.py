"""The table of variants: file size, accuracy, agreement with Keras, and latency of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from convert.proof.parity import KERAS, Parity


@dataclass(frozen=True)
class VariantRow:
    """One variant of the model.

    Attributes:
        variant: its name.
        megabytes: size of the file, 10^6 bytes.
        images: number of images it was compared on.
        accuracy, accuracy_low, accuracy_high: accuracy and its Wilson 95 % interval, 0 to 1.
        accuracy_float: accuracy of Keras on the same images, 0 to 1.
        agreement: share of the images with the same top class as Keras, 0 to 1.
        kl: mean Kullback-Leibler divergence from the probabilities of Keras, nats.
        threads: threads of an inference.
        gate: `passed` or `refused`.
        failed: the criteria of the gate that it fails.
        note: a remark; may be empty.
        median_ms: median latency of an inference, measured in turns; None: not measured yet.
    """

    variant: str
    megabytes: float
    images: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    accuracy_float: float
    agreement: float
    kl: float
    threads: int
    gate: str
    failed: tuple[str, ...]
    note: str
    median_ms: float | None = None


def make_row(
    parity: Parity, *, file_bytes: int, failed: Sequence[str], threads: int, note: str
) -> VariantRow:
    """The row of one variant, without its latency.

    Args:
        parity: its comparison with Keras.
        file_bytes: size of its .tflite file.
        failed: the criteria of the gate that it fails.
        threads: threads of an inference.
        note: a remark; may be empty.
    """
    accuracy = parity.accuracy[parity.variant]
    return VariantRow(
        variant=parity.variant,
        megabytes=round(file_bytes / 1e6, 3),
        images=parity.images,
        accuracy=accuracy.value,
        accuracy_low=accuracy.low,
        accuracy_high=accuracy.high,
        accuracy_float=parity.accuracy[KERAS].value,
        agreement=parity.quantized.agreement,
        kl=parity.drift.kl,
        threads=threads,
        gate="refused" if failed else "passed",
        failed=tuple(failed),
        note=note,
    )


def variants_table(rows: Sequence[VariantRow]) -> Table:
    """The rows as a table for the terminal."""
    table = Table(title=f"variants compared with Keras, {rows[0].threads} threads")
    for title in ("variant", "MB", "images", "accuracy", "95 %", "Keras", "agreement", "KL"):
        table.add_column(title, justify="left" if title == "variant" else "right")
    table.add_column("ms", justify="right")
    table.add_column("gate")
    table.add_column("note")
    for row in rows:
        table.add_row(
            row.variant,
            f"{row.megabytes:.2f}",
            str(row.images),
            f"{row.accuracy:.2%}",
            f"{row.accuracy_low:.1%}-{row.accuracy_high:.1%}",
            f"{row.accuracy_float:.2%}",
            f"{row.agreement:.2%}",
            f"{row.kl:.5f}",
            "" if row.median_ms is None else f"{row.median_ms:.1f}",
            row.gate,
            row.note,
        )
    return table
