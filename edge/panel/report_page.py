"""The report of a shift as a page that prints on A4, rendered by `templates/report.html`."""

import math

from edge.language import Language
from edge.mass.calibration import UnusedWeighing, WeighingFault
from edge.mass.masses import Masses
from edge.panel.documents import render
from edge.panel.formats import count, decimal, percent, weight
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
FAULTS_OF_WEIGHING = {
    WeighingFault.FIRST: N_("the first of its bin or class; the counting begins with it"),
    WeighingFault.NO_ITEMS: N_("no item was recorded for it"),
    WeighingFault.NO_RECORDS: N_("the records of its items are gone"),
    WeighingFault.IMPOSSIBLE: N_("impossible for so many items; check its unit"),
    WeighingFault.UNLIKE_OTHERS: N_("does not agree with the other weighings"),
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
        masses=_masses(report.masses),
        left_out=[left_out_line(each) for each in report.masses.left_out],
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


def _masses(masses: Masses) -> list[tuple[str, str, str, str]]:
    """Name, estimate, its 95 % interval, and what it rests on: classes, bins, and all."""
    labels = [
        (label_name(label), mass, _rests_on(masses, label))
        for label, mass in masses.per_label.items()
    ]
    bins = [
        (_("Bin {name}").format(name=bin_name(name)), mass, "")
        for name, mass in masses.per_bin.items()
    ]
    rows = [*labels, *bins, (_("All"), masses.total, "")] if labels else []
    return [
        (
            name,
            weight(mass.kg),
            _("{low} to {high}").format(low=weight(mass.low_kg), high=weight(mass.high_kg)),
            rests_on,
        )
        for name, mass, rests_on in rows
    ]


def _rests_on(masses: Masses, label: str) -> str:
    if masses.weighed[label]:
        return count(masses.weighed[label])
    return _("none; from the other classes") if masses.used else _("not calibrated")


def left_out_line(each: UnusedWeighing) -> str:
    """Say in one line which weighing was left out, and why."""
    line = _("Entry {number}: {why}").format(
        number=each.number, why=_(FAULTS_OF_WEIGHING[each.fault])
    )
    if math.isnan(each.expected_kg):
        return line
    return line + "; " + _("{mass} was expected").format(mass=weight(each.expected_kg))


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
