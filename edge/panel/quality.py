"""The tab "Quality": measured accuracy with its interval, confusions, doubtful labels."""

from collections import Counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.panel.formats import count, percent, significant
from edge.panel.fragments import crop_address, render
from edge.panel.items import Word, answer_name
from edge.panel.languages import N_, _
from edge.records.measured import Answer, Measured, Share, bundles, looks_wrong, measured
from edge.records.search import Found
from edge.records.store import Store

SHOWN_CLASSES = 16
SHOWN_WRONG = 50
WIDTHS = (20.0, 10.0, 5.0, 2.0, 1.0)
"""Widths of the interval that are offered, percentage points."""
REST = N_("all others")


class QualityAsked(BaseModel):
    """What is measured.

    Attributes:
        bundle: digest of the bundle that decided; None: that of the newest item; empty: any.
        width: the width that the interval should have, percentage points.
    """

    model_config = ConfigDict(extra="forbid")

    bundle: Word | None = None
    width: Annotated[float, Field(ge=0.5, le=50, allow_inf_nan=False)] = 5.0


def quality(store: Store, asked: QualityAsked) -> str:
    """Show how good the verdicts of a bundle are.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    known = bundles(store)
    chosen = next(iter(known), "") if asked.bundle is None else asked.bundle
    sample, others = measured(store, chosen or None)
    return render(
        "quality.html",
        bundles=known,
        chosen=chosen,
        widths=[
            (f"{width:g}", significant(width, 6))
            for width in sorted({*WIDTHS, asked.width}, reverse=True)
        ],
        width=f"{asked.width:g}",
        width_shown=significant(asked.width, 6),
        accuracy=share_cells(sample.accuracy),
        more=count(sample.accuracy.more_for(asked.width / 100)),
        sample=confusion(sample),
        recall=[(_name(answer), *share_cells(share)) for answer, share in _recall(sample)],
        others=confusion(others),
        others_accuracy=share_cells(others.accuracy),
        wrong=[_doubt(found) for found in looks_wrong(store, chosen or None, count=SHOWN_WRONG)],
    )


def share_cells(share: Share) -> tuple[str, str, str]:
    """A share, its interval, and its counts, in words."""
    if not share.total:
        return "-", "", _("no items")
    low, high = share.interval
    return (
        percent(share.right / share.total, 1),
        _("{low} to {high}").format(low=percent(low, 1), high=percent(high, 1)),
        _("{part} of {whole}").format(part=count(share.right), whole=count(share.total)),
    )


def share_line(share: Share) -> str:
    """Tell the accuracy in one line."""
    value, interval, counts = share_cells(share)
    if not interval:
        return _("No item of the random share is reviewed yet.")
    return _("Random share: {share} right ({interval}), {counts}").format(
        share=value, interval=interval, counts=counts
    )


def _recall(found: Measured) -> list[tuple[Answer, Share]]:
    counted = sorted(found.recall().items(), key=lambda pair: (-pair[1].total, pair[0]))
    return [pair for pair in counted if pair[0].label][:SHOWN_CLASSES]


def _name(answer: Answer) -> str:
    return answer_name(answer.label, answer.no_class)


def confusion(found: Measured) -> dict[str, object]:
    """Tabulate what persons answered against the labels of the model, the most frequent ones.

    Returns:
        `columns`: the model's labels; `rows`: (answer, cells), each cell (count, kind).
    """
    rows: Counter[Answer] = Counter()
    columns: Counter[str] = Counter()
    for (answer, label), n in found.cells.items():
        rows[answer] += n
        columns[label] += n
    shown_rows, shown_columns = _frequent(rows), _frequent(columns)
    cells: Counter[tuple[Answer | None, str | None]] = Counter()
    for (answer, label), n in found.cells.items():
        row = answer if answer in shown_rows else None
        cells[row, label if label in shown_columns else None] += n
    heads = [*shown_columns, *([None] if len(columns) > len(shown_columns) else [])]
    sides = [*shown_rows, *([None] if len(rows) > len(shown_rows) else [])]
    return {
        "columns": [_(REST) if label is None else label for label in heads],
        "rows": [
            (
                _(REST) if answer is None else _name(answer),
                [_cell(cells[answer, label], answer, label) for label in heads],
            )
            for answer in sides
        ],
    }


def _frequent(counted: Counter) -> list:
    """The most frequent of what was counted, sorted."""
    return sorted(sorted(counted, key=lambda each: (-counted[each], each))[:SHOWN_CLASSES])


def _cell(items: int, answer: Answer | None, label: str | None) -> tuple[str, str]:
    if not items:
        return "", ""
    right = answer is not None and answer.label == label
    return count(items), "right" if right else "wrong"


def _doubt(found: Found) -> dict[str, str]:
    record = found.record
    return {
        "id": record.item_id,
        "crop": crop_address(record.item_id) if found.has_crop else "",
        "answer": answer_name(record.reviewed, record.no_class),
        "label": record.label,
        "confidence": percent(record.confidence, 1),
    }
