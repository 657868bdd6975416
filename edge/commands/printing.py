"""What several commands print: tables, items, warnings."""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from edge.terminal import out, safe_line

if TYPE_CHECKING:
    from edge.records.record import ItemRecord

log = logging.getLogger(__name__)


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table: words to the left, figures to the right."""
    shown = [[safe_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for name, *cells in shown:
        figures = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        out.print("  ".join((name.ljust(widths[0]), *figures)))


def show_item(record: "ItemRecord") -> None:
    """Tell which item went to which bin."""
    label, sorted_to = safe_line(record.label), safe_line(record.bin)
    out.tell(f"{record.item_id}  {label:16} -> {sorted_to:12} {record.detail}")


def warn_all(lines: Iterable[str]) -> None:
    """Log each line as a warning."""
    for line in lines:
        log.warning(line)
