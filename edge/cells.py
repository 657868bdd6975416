"""Escaping of texts in CSV files, which a spreadsheet must not evaluate as formulas."""

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def to_cell(text: str) -> str:
    """Return a text as a cell: one that a spreadsheet would evaluate gets a leading apostrophe.

    In a spreadsheet the apostrophe marks a text. `from_cell` removes it.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(cell: str) -> str:
    """Return the text of a cell that `to_cell` made; any other cell is returned unchanged."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
