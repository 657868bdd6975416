"""The report of a shift as JSON and as a CSV file."""

import io
import json
import math
from collections.abc import Iterator
from typing import Any

from edge.mass.masses import Masses
from edge.operation import Order
from edge.records.audits import AuditResult, Purity
from edge.records.export import write_rows
from edge.records.pieces import PieceRecall, Window
from edge.records.report import FAULTS, ORDERED, ShiftReport

CSV_COLUMNS = ("part", "name", "bin", "value", "unit")
CSV_BEGINNING = ",".join(CSV_COLUMNS)
JSON_BEGINNING = '{"shift_report": 1,'
"""How every report begins; the number is that of the form."""


def to_json(report: ShiftReport) -> str:
    """Return the report as one JSON object; what is not known is null, times are Unix seconds."""
    return json.dumps({"shift_report": 1, **as_plain(report)})


def as_plain(report: ShiftReport) -> dict[str, Any]:
    """Return the report as what JSON knows."""
    return {
        "from": report.period.start,
        "to": report.period.end,
        "comment": report.comment,
        "items": report.items,
        "late": report.late,
        "unknown": report.unknown,
        "unknown_share": report.share(report.unknown),
        "manual": report.manual,
        "manual_share": report.share(report.manual),
        "items_per_hour": report.per_hour,
        "items_in_the_busiest_hour": report.busiest_hour,
        "latency_p50_s": _seconds(report.p50_ms),
        "latency_p99_s": _seconds(report.p99_ms),
        "counts": [
            {"label": label, "bin": bin_name, "items": items}
            for (label, bin_name), items in report.counts.items()
        ],
        "per_label": report.per_label,
        "per_bin": report.per_bin,
        "reasons": {reason: vars(share) for reason, share in report.reasons.items()},
        "bundles": {digest: vars(share) for digest, share in report.bundles.items()},
        "gaps": [{"from": gap.start, "to": gap.end} for gap in report.gaps],
        "gap_count": report.gap_count,
        "gap_s": report.gap_s,
        "weighed_in_kg": report.weighed.fed,
        "weighed_out_kg": report.weighed.taken,
        "weighed_class_kg": report.weighed.classes,
        "estimated_mass": _masses(report.masses),
        "comments": [
            {"at": entry.at, "by": entry.by, "comment": entry.comment} for entry in report.comments
        ],
        "order": _order(report.order),
        "audits": [_audit(result) for result in report.audits],
        "test_pieces": [_window(window) for window in report.windows],
        "recalls": [_recall(recall) for recall in report.recalls],
    }


def _masses(masses: Masses) -> dict[str, Any]:
    return {
        "is_calibrated": masses.used > 0,
        "weighings": masses.used,
        "per_label": {
            label: {**vars(mass), "weighings": masses.weighed[label]}
            for label, mass in masses.per_label.items()
        },
        "per_bin": {name: vars(mass) for name, mass in masses.per_bin.items()},
        "total": vars(masses.total),
        "left_out": [
            {
                "entry": each.number,
                "fault": each.fault.value,
                "expected_kg": None if math.isnan(each.expected_kg) else each.expected_kg,
            }
            for each in masses.left_out
        ],
    }


def _audit(result: AuditResult) -> dict[str, Any]:
    audit = result.audit
    return {
        "number": audit.number,
        "from": audit.period.start,
        "to": audit.period.end,
        "items_per_bin": audit.per_bin,
        "seed": audit.seed,
        "by": audit.by,
        "drawn_at": audit.drawn_at,
        "bins": [_purity(purity) for purity in result.purities],
    }


def _purity(purity: Purity) -> dict[str, Any]:
    low, high = purity.interval
    bounds = {"purity": purity.share, "purity_low": low, "purity_high": high}
    return {**vars(purity), "unjudged": purity.unjudged, **bounds}


def _window(window: Window) -> dict[str, Any]:
    counts = {} if window.counts is None else vars(window.counts)
    kept = {name: value for name, value in vars(window).items() if name != "counts"}
    return {**kept, **counts, "found": window.found}


def _recall(recall: PieceRecall) -> dict[str, Any]:
    low, high = recall.interval
    return {**vars(recall), "recall": recall.share, "recall_low": low, "recall_high": high}


def _seconds(milliseconds: float) -> float | None:
    return None if math.isnan(milliseconds) else milliseconds / 1000


def _order(order: Order | None) -> dict[str, Any] | None:
    return None if order is None else order.model_dump(mode="json")


def to_csv(report: ShiftReport) -> str:
    """Return the report as a CSV file: one figure a row, with its unit."""
    stream = io.StringIO(newline="")
    rows = (dict(zip(CSV_COLUMNS, row, strict=True)) for row in _rows(report))
    write_rows(stream, CSV_COLUMNS, rows)
    return stream.getvalue()


def _rows(report: ShiftReport) -> Iterator[tuple[str, str, str, float | str, str]]:
    yield "shift", "from", "", report.period.start, "Unix s"
    yield "shift", "to", "", report.period.end, "Unix s"
    yield "shift", "comment", "", report.comment, ""
    for name in ("items", "late", "unknown", "manual"):
        yield "shift", name, "", getattr(report, name), "items"
    yield "shift", "throughput", "", report.per_hour, "items/h"
    yield "shift", "busiest hour", "", report.busiest_hour, "items/h"
    for name, latency in (("p50", report.p50_ms), ("p99", report.p99_ms)):
        if not math.isnan(latency):
            yield "latency", name, "", latency / 1000, "s"
    for (label, bin_name), items in report.counts.items():
        yield "counts", label, bin_name, items, "items"
    for reason, share in report.reasons.items():
        kind = "fault" if reason in FAULTS else "order" if reason in ORDERED else "reason"
        yield kind, reason, "", share.items, "items"
    for digest, share in report.bundles.items():
        yield "bundle", digest, "", share.items, "items"
    for gap in report.gaps:
        yield "time without an item", f"{gap.start:.0f}", "", gap.seconds, "s"
    weighed = report.weighed
    for bin_name, kg in weighed.fed.items():
        yield "weighed in", "", bin_name, kg, "kg"
    for bin_name, kg in weighed.taken.items():
        yield "weighed out", "", bin_name, kg, "kg"
    for label, kg in weighed.classes.items():
        yield "weighed", label, "", kg, "kg"
    yield from _mass_rows(report.masses)
    for entry in report.comments:
        yield "comment", entry.by, "", entry.comment, ""
    if report.order is not None:
        yield "order", report.order.by, "", report.order.mode.value, ""
    for result in report.audits:
        yield from _audit_rows(result)
    for window in report.windows:
        state = "cancelled" if window.cancelled_at is not None else "not ended"
        part = f"test pieces {window.number}, {'ended' if window.pieces else state}"
        yield part, window.label, window.bin, window.pieces or window.announced, "pieces"
    for recall in report.recalls:
        low, high = recall.interval
        yield "pieces sent", recall.label, "", recall.pieces, "pieces"
        yield "pieces found", recall.label, "", recall.found, "pieces"
        for part, value in (("recall", recall.share), ("recall low", low), ("recall high", high)):
            yield part, recall.label, "", value, "share"


def _mass_rows(masses: Masses) -> Iterator[tuple[str, str, str, float | str, str]]:
    if not masses.per_label:
        return
    yield "mass calibration", "weighings", "", masses.used or "not calibrated", ""
    rows = [
        *((label, "", mass) for label, mass in masses.per_label.items()),
        *(("", name, mass) for name, mass in masses.per_bin.items()),
        ("", "", masses.total),
    ]
    for label, bin_name, mass in rows:
        yield "estimated mass", label, bin_name, mass.kg, "kg"
        yield "estimated mass low", label, bin_name, mass.low_kg, "kg"
        yield "estimated mass high", label, bin_name, mass.high_kg, "kg"
    for label, weighings in masses.weighed.items():
        yield "mass calibration", label, "", weighings, "weighings"
    for each in masses.left_out:
        yield "weighing left out", f"entry {each.number}", "", each.fault.value, ""


def _audit_rows(result: AuditResult) -> Iterator[tuple[str, str, str, float | str, str]]:
    audit = result.audit
    part = f"audit {audit.number}"
    yield part, "from", "", audit.period.start, "Unix s"
    yield part, "to", "", audit.period.end, "Unix s"
    yield part, "by", "", audit.by, ""
    for purity in result.purities:
        for name in ("recorded", "population", "drawn", "judged", "unjudged", "right"):
            yield part, name, purity.bin, getattr(purity, name), "items"
        low, high = purity.interval
        if purity.share is not None:
            yield part, "purity", purity.bin, purity.share, "share"
        yield part, "purity low", purity.bin, low, "share"
        yield part, "purity high", purity.bin, high, "share"
