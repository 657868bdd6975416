"""A fleet as a table for people, as JSON, and as targets for Prometheus."""

import io
import json
from collections.abc import Sequence
from typing import Any

from edge.fleet.health import health_of, in_words
from edge.fleet.listening import HeardBoard

DIGEST_SHOWN = 8
HEALTH = "health"
HEAD = ("board", "ring", "program", "bundle", HEALTH, "items", "by hand", "last seen")
FIGURES = ("items", "by hand", "last seen")
"""Columns whose content stands to the right."""
LEAST_WIDTH = 60


def as_json(boards: Sequence[HeardBoard], now: float) -> dict[str, Any]:
    """One object for each board; times are unix seconds, what is not known is null.

    `health` and `reason` are as in the table; the other keys are as in
    `edge.fleet.report.BoardReport`, with the shares `share_by_hand` and `share_unknown`, 0 to 1.
    """
    return {"boards": [_object(board, now) for board in boards]}


def _object(board: HeardBoard, now: float) -> dict[str, Any]:
    health, reason = health_of(board, now)
    found = {"topic": board.topic, "health": health.value, "reason": reason}
    report = board.report
    if report is None:
        return found
    shares = {"share_by_hand": report.share_by_hand, "share_unknown": report.share_unknown}
    return {**found, **report.model_dump(mode="json"), **shares}


def as_lines(boards: Sequence[HeardBoard], now: float, width: int) -> list[str]:
    """The table, line by line.

    Args:
        boards: of the fleet.
        now: unix seconds.
        width: of the terminal, characters; long reasons take more lines.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), expand=True
    )
    for name in HEAD:
        is_figure = name in FIGURES
        table.add_column(
            name,
            justify="right" if is_figure else "left",
            no_wrap=is_figure,
            overflow="fold",
            ratio=1 if name == HEALTH else None,  # it takes what the others leave
        )
    for board in boards:
        table.add_row(*(Text(cell) for cell in _cells(board, now)))  # no markup
    written = io.StringIO()
    Console(file=written, width=max(LEAST_WIDTH, width), color_system=None).print(table)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def _cells(board: HeardBoard, now: float) -> tuple[str, ...]:
    health, reason = health_of(board, now)
    word = f"{health.value}: {reason}" if reason else health.value
    report = board.report
    if report is None:
        return board.name, "", "", "", word, "", "", ""
    bundle, share = report.bundle, report.share_by_hand
    return (
        board.name,
        report.ring.value,
        report.program,
        "" if bundle is None else f"{bundle.name} {bundle.digest[:DIGEST_SHOWN]}",
        word,
        f"{report.items:,}",
        "" if share is None else f"{share:.1%}",
        f"{in_words(now - report.at)} ago",
    )


def prometheus_targets(boards: Sequence[HeardBoard]) -> bytes:
    """The pages that boards report, as Prometheus reads them from a file (`file_sd_configs`).

    A board that is silent stays among them, so that its target is down and not gone.

    Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
    """
    targets = [
        {"targets": [report.page], "labels": {"board": report.board, "ring": report.ring.value}}
        for report in (board.report for board in boards)
        if report is not None and report.page is not None
    ]
    return json.dumps(targets, indent=1).encode() + b"\n"
