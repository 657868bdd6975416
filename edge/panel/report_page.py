"""The report of a shift as a page that prints on A4, rendered by `templates/report.html`."""

import math

from edge.panel.documents import render
from edge.panel.fragments import MODE_NAMES, duration
from edge.records.audits import Purity
from edge.records.entries import Entry
from edge.records.period import show_time
from edge.records.pieces import PieceRecall
from edge.records.report import FAULTS, ORDERED, ShiftReport
from edge.verdict import Reason

HTML_BEGINNING = "<!DOCTYPE html>\n<!-- shift report of ewaste-edge -->"
"""How every report begins."""


def report_html(report: ShiftReport) -> str:
    """Return the report as a whole HTML page, which needs nothing else."""
    labels, bins = list(report.per_label), list(report.per_bin)
    return render(
        "report.html",
        report=report,
        facts=_facts(report),
        labels=labels,
        bins=bins,
        faults=[reason.value for reason in (*FAULTS, *ORDERED)],
        names={reason.value: reason.value.replace("_", " ") for reason in Reason},
        time=show_time,
        duration=lambda seconds: duration(round(seconds)),
        kg=lambda value: f"{value:,.1f}",
        percent=_percent,
        order=MODE_NAMES[report.order.mode] if report.order else "",
        weighed=_weighed_bins(report),
        share=share_in_interval,
    )


def _facts(report: ShiftReport) -> dict[str, str]:
    facts = {
        "Items": f"{report.items:,}",
        "Unknown": f"{report.unknown:,} ({_percent(report.share(report.unknown))})",
        "To manual": f"{report.manual:,} ({_percent(report.share(report.manual))})",
        "Late": f"{report.late:,} ({_percent(report.share(report.late))})",
        "Throughput": f"{report.per_hour:,.1f} items an hour",
        "Busiest hour": f"{report.busiest_hour:,} items",
    }
    if report.measured and not math.isnan(report.p50_ms):
        facts["Photo to verdict"] = f"{report.p50_ms:,.0f} ms median, {report.p99_ms:,.0f} ms p99"
    return facts


def share_in_interval(measured: Purity | PieceRecall) -> tuple[str, str]:
    """A share, and its 95 % interval, in words."""
    low, high = measured.interval
    return _percent(measured.share), f"{low:.1%} to {high:.1%}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _weighed_bins(report: ShiftReport) -> list[tuple[str, float | None, float | None, str]]:
    weighed = report.weighed
    names = sorted({*weighed.fed, *weighed.taken})
    return [
        (
            name or "all of the line",
            weighed.fed.get(name),
            weighed.taken.get(name),
            _percent(weighed.recovered(name)),
        )
        for name in names
    ]


def entry_line(entry: Entry) -> str:
    """Say in one line what was entered."""
    if not entry.kg:
        return entry.comment
    names = {"weighed_in": "weighed in", "weighed_out": "weighed out", "weighed_class": "weighed"}
    what = f"{names[entry.kind.value]}: {entry.name or 'all of the line'}, {entry.kg:,.1f} kg"
    return f"{what} ({entry.comment})" if entry.comment else what
