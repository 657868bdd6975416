"""The variants of one model side by side: how large, how right, how near to Keras, how fast."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from convert.proof.parity import KERAS, Parity


@dataclass(frozen=True)
class Row:
    """One variant of the model.

    Attributes:
        variant: its name.
        megabytes: size of the file, 10^6 bytes.
        images: how many it was judged on.
        accuracy, accuracy_low, accuracy_high: with its Wilson 95 % interval, 0 to 1.
        accuracy_float: Keras' on the same images.
        agreement: share of the images that get Keras' answer.
        kl: mean divergence of its probabilities from Keras', nats.
        threads: that an inference may use.
        gate: `passed` or `refused`.
        failed: the criteria it fails.
        note: what else there is to know; may be empty.
        median_ms: of one inference on this machine, all variants taking turns; None: not timed yet.
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


def make_row(size: int, parity: Parity, failed: Sequence[str], threads: int, note: str) -> Row:
    """The figures of a variant whose file has `size` bytes."""
    accuracy = parity.accuracy[parity.variant]
    return Row(
        variant=parity.variant,
        megabytes=round(size / 1e6, 3),
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


def draw_table(rows: Sequence[Row]) -> Table:
    """The rows for people."""
    table = Table(title=f"variants, against Keras; {rows[0].threads} threads")
    for title in ("variant", "MB", "images", "accuracy", "95 %", "Keras", "same answer", "KL"):
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
