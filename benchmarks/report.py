"""One page of the JSON files that benchmarks have written: python benchmarks/report.py FOLDER.

The page says on which machine, by which versions, from which commit, and under which load.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import typer

from benchmarks.machine import facts
from edge.errors import BadInput, EwasteError
from edge.files import read_bounded, write_whole
from train.command import command, print_lines
from train.pages import svg_data_url, template_environment

PAGE_NAME = "report.html"
LARGEST = 10_000_000
"""Bytes of a JSON file."""
PLOTTED = ("share", "ratio", "miscounted", "core")
"""The first of these that all rows of a table have is drawn."""
LONGEST_PLOT = 60
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """One table of the page.

    Attributes:
        title: the file, and the key in it.
        columns: names of the columns.
        rows: cells, as text.
        plotted: the column that is drawn; empty for none.
        plot: its drawing as a data URL; empty for none.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plotted: str = ""
    plot: str = ""


def read_figures(path: Path) -> dict[str, Any]:
    """What a benchmark has written.

    Raises:
        BadInput: it is no JSON object.
    """
    try:
        figures = json.loads(read_bounded(path, LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not what a benchmark writes with --json ({error})") from None
    if not isinstance(figures, dict):
        raise BadInput(f"{path}: not what a benchmark writes with --json (no object)")
    return figures


def parts_of(name: str, figures: Mapping[str, Any]) -> list[Part]:
    """The tables of one file: its plain values, then each list or mapping of rows."""
    parts, plain = [], {}
    for key, value in figures.items():
        if isinstance(value, list) and all(isinstance(row, dict) for row in value):
            parts.append(_table(f"{name}: {key}", value))
        elif isinstance(value, dict) and all(isinstance(row, dict) for row in value.values()):
            parts.append(_table(f"{name}: {key}", [{"": k, **row} for k, row in value.items()]))
        elif isinstance(value, dict):
            rows = tuple((str(k), _cell(each)) for k, each in value.items())
            parts.append(Part(f"{name}: {key}", ("figure", "value"), rows))
        else:
            plain[key] = value
    if plain:
        rows = tuple((key, _cell(value)) for key, value in plain.items())
        parts.insert(0, Part(name, ("figure", "value"), rows))
    return parts


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Part:
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    cells = tuple(tuple(_cell(row.get(column)) for column in columns) for row in rows)
    plotted = next((each for each in PLOTTED if _can_be_drawn(rows, each)), "")
    plot = draw(rows, plotted) if plotted else ""
    return Part(title, columns, cells, plotted, plot)


def _can_be_drawn(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    return 0 < len(rows) <= LONGEST_PLOT and all(_is_number(row.get(column)) for row in rows)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def draw(rows: Sequence[Mapping[str, Any]], column: str) -> str:
    """A bar for each row, with its interval if it has one, as a data URL.

    Args:
        rows: of a table; their texts name the bars.
        column: which number to draw.
    """
    names = [
        ", ".join(value for value in row.values() if isinstance(value, str) and value)
        for row in rows
    ]
    places, values = range(len(rows)), [row[column] for row in rows]
    figure, axes = plt.subplots(figsize=(9, 0.6 + 0.32 * len(rows)))
    axes.barh(places, values, color="#4b8f6b")
    for place, row in zip(places, rows, strict=True):
        low, high = row.get("low"), row.get("high")
        if _is_number(low) and _is_number(high):
            axes.plot([low, high], [place, place], color="#17211c", linewidth=1.5)
    axes.set_yticks(places, names, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel(column)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", bbox_inches="tight")
    plt.close(figure)
    return svg_data_url(drawn.getvalue())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_report(folder: Path) -> Path:
    """Write the page of all JSON files in a folder into it.

    Returns:
        The page.

    Raises:
        BadInput: there is none, or one is not what a benchmark writes.
        EwasteError: the page cannot be written.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise BadInput(f"{folder}: no JSON files; run: make bench")
    parts = [part for path in paths for part in parts_of(path.stem, read_figures(path))]
    template = template_environment(HERE).get_template(PAGE_NAME)
    page = folder / PAGE_NAME
    try:
        write_whole(page, template.render(facts=facts(), parts=parts).encode("utf-8", "replace"))
    except OSError as error:
        raise EwasteError(f"{page}: cannot be written ({error.strerror})") from None
    return page


def main(
    folder: Annotated[Path, typer.Argument(help="folder of JSON files of benchmarks")],
) -> None:
    """Write FOLDER/report.html. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command():
        print_lines([str(write_report(folder))])


if __name__ == "__main__":
    typer.run(main)
