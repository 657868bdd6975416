"""Texts in CSV files, which a spreadsheet must not take for formulas."""

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def to_cell(text: str) -> str:
    """A text as a cell: what a spreadsheet would compute gets an apostrophe before it.

    A spreadsheet takes the apostrophe for "what follows is text". `from_cell` takes it away again.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(cell: str) -> str:
    """The text of a cell that `to_cell` made; any other cell as it is."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
