"""The report of a shift as a page that prints on A4, rendered by `templates/report.html`."""

import math

from edge.language import Language
from edge.panel.documents import render
from edge.panel.formats import count, decimal, percent
from edge.panel.fragments import mode_name
from edge.panel.languages import N_, Appearance, _, shown_as
from edge.panel.sentences import bin_name, label_name
from edge.records.audits import Purity
from edge.records.entries import Entry, EntryKind
from edge.records.pieces import PieceRecall
from edge.records.report import FAULTS, ORDERED, ShiftReport

ENTERED = {
    EntryKind.IN: N_("weighed in"),
    EntryKind.OUT: N_("weighed out"),
    EntryKind.CLASS: N_("weighed"),
}
HTML_BEGINNING = "<!DOCTYPE html>\n<!-- shift report of ewaste-edge -->"
"""How every report begins."""


def report_in(language: Language, report: ShiftReport) -> str:
    """Return the report as a whole HTML page in a language."""
    with shown_as(Appearance(language)):
        return report_html(report)


def report_html(report: ShiftReport) -> str:
    """Return the report as a whole HTML page, which needs nothing else."""
    return render(
        "report.html",
        report=report,
        facts=_facts(report),
        labels=list(report.per_label),
        bins=list(report.per_bin),
        faults=[reason.value for reason in (*FAULTS, *ORDERED)],
        order=mode_name(report.order.mode) if report.order else "",
        weighed=_weighed_bins(report),
        share=share_in_interval,
    )


def _facts(report: ShiftReport) -> dict[str, str]:
    facts = {
        _("Items"): count(report.items),
        _("Unknown"): _counted(report, report.unknown),
        _("To manual"): _counted(report, report.manual),
        _("Late"): _counted(report, report.late),
        _("Throughput"): _("{count} items an hour").format(count=decimal(report.per_hour, 1)),
        _("Busiest hour"): _("{count} items").format(count=count(report.busiest_hour)),
    }
    if report.measured and not math.isnan(report.p50_ms):
        facts[_("Photo to verdict")] = _("{median} ms median, {p99} ms p99").format(
            median=count(report.p50_ms), p99=count(report.p99_ms)
        )
    return facts


def _counted(report: ShiftReport, items: int) -> str:
    """A number of items, and its share of all."""
    return f"{count(items)} ({percent(report.share(items), 1)})"


def share_in_interval(measured: Purity | PieceRecall) -> tuple[str, str]:
    """A share, and its 95 % interval, in words."""
    low, high = measured.interval
    interval = _("{low} to {high}").format(low=percent(low, 1), high=percent(high, 1))
    return percent(measured.share, 1), interval


def _weighed_bins(report: ShiftReport) -> list[tuple[str, float | None, float | None, str]]:
    weighed = report.weighed
    return [
        (name, weighed.fed.get(name), weighed.taken.get(name), percent(weighed.recovered(name), 1))
        for name in sorted({*weighed.fed, *weighed.taken})
    ]


def entry_line(entry: Entry) -> str:
    """Say in one line what was entered."""
    if not entry.kg:
        return entry.comment
    shown = label_name if entry.kind is EntryKind.CLASS else bin_name
    name = shown(entry.name) if entry.name else _("all of the line")
    what = f"{_(ENTERED[entry.kind])}: {name}, {decimal(entry.kg, 1)} kg"
    return f"{what} ({entry.comment})" if entry.comment else what
