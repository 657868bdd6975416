"""Commands that read the records: export, report, sizes."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import PATH, AsJson, ConfigFile, RecordsDir
from edge.commands.settings import read_settings
from edge.errors import BadInput
from edge.language import Language
from edge.terminal import err, out, safe_line

if TYPE_CHECKING:
    from edge.bundle.sizes import SizeDistribution
    from edge.records.report import ShiftReport

log = logging.getLogger(__name__)


def export(
    state: RecordsDir = None,
    config: ConfigFile = None,
    review: Annotated[
        Path | None,
        typer.Option(**PATH, help="folder to write the pictures to review to, as a dataset"),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(**PATH, help="CSV file to write all records to")
    ] = None,
    *,
    mass: Annotated[
        bool, typer.Option("--mass", help="with --csv: the estimated mass of each item too")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the pictures to review as a dataset CLASS/*.jpg, or all records as a CSV file."""
    from edge.records.damage import JOURNALS, Damaged
    from edge.records.export import export_csv, export_review
    from edge.records.item_masses import ItemMasses
    from edge.records.item_sums import KeptSums
    from edge.records.store import RECORDS_NAME, Store

    if review is None and csv is None:
        raise BadInput("nothing to export; give --review DIR or --csv FILE")
    if mass and csv is None:
        raise BadInput("--mass adds columns to a CSV file; give --csv FILE")
    path = read_settings(config, state=state).state_folder / RECORDS_NAME
    figures: dict[str, int] = {}
    unread: list[int] = []
    with Store(path, read_only=True) as store:
        if csv is not None:
            kept = [path.with_name(path.name + end) for end in ("", *JOURNALS)]
            records = store.all(unread.append, crops=False)
            estimated = partial(ItemMasses(path.parent, KeptSums(path)).of, store)
            figures["records"] = export_csv(records, csv, kept, estimated if mass else None)
        if review is not None:
            waiting = store.to_review(unread.append)
            figures |= asdict(export_review(waiting, review, err.tell))
    if as_json:
        out.print(json.dumps(figures))
    else:
        _print_exported(figures, csv, review)
    if unread:
        raise Damaged(
            f"{path}: is damaged; about {sum(unread)} records could not be read, the others are "
            "exported"
        )


def _print_exported(figures: dict[str, int], csv: Path | None, review: Path | None) -> None:
    """Say how much was written where."""
    from edge.records.export import own_descriptor

    if csv is not None:
        # What was written to this very stream is not to be mixed with words about it.
        tell = err.tell if own_descriptor(csv) == 1 else out.print
        tell(f"{csv}: {figures['records']} records")
    if review is not None:
        unseen = figures["pictures"] - figures["reviewed"]
        out.print(
            f"{review}: {figures['pictures']} pictures; {unseen} lie where the model would put "
            "them: move those that are wrong, delete those that are no good",
        )


def report(
    start: Annotated[
        str, typer.Option("--from", help="start: a date, or date and time: 2026-11-29T06:00")
    ],
    end: Annotated[
        str | None, typer.Option("--to", help="end, not within it; default: now")
    ] = None,
    *,
    target: Annotated[
        Path | None,
        typer.Option("--out", **PATH, help="file to write: .html, which prints on A4, .csv, .json"),
    ] = None,
    comment: Annotated[str | None, typer.Option(help="a few words to put into the report")] = None,
    language: Annotated[
        Language | None, typer.Option(help="of the HTML; default: `panel.language`")
    ] = None,
    state: RecordsDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a shift: counts, throughput, latency, weights, faults, bundles."""
    from edge.records.export import export_text
    from edge.records.period import parse_period
    from edge.records.report_text import to_json
    from edge.records.shift import read_report
    from edge.records.store import RECORDS_NAME

    if target is None and not as_json:
        raise BadInput("nowhere to write to; give --out FILE or --json")
    settings = read_settings(config, state=state)
    asked = language or Language(settings.panel.language)
    form = None if target is None else _report_form(target, asked)
    folder = settings.state_folder
    period = parse_period(start, end or "", time.time())
    found = read_report(folder, folder / RECORDS_NAME, period, comment or "")
    if target is not None and form is not None:
        export_text(form.write(found), target, form.beginning)
    if as_json:
        out.print(to_json(found))
    else:
        out.print(f"{target}: {found.items} items")


@dataclass(frozen=True)
class ReportForm:
    """A form of a report: the text of one, and how each such text begins."""

    write: "Callable[[ShiftReport], str]"
    beginning: str


def _report_form(target: Path, language: Language) -> ReportForm:
    """The form of a report that the name of a file asks for.

    Raises:
        BadInput: it asks for none, or its libraries are not installed.
    """
    from edge.records import report_text

    ending = target.suffix.lower()
    if ending == ".csv":
        return ReportForm(report_text.to_csv, report_text.CSV_BEGINNING)
    if ending == ".json":
        return ReportForm(report_text.to_json, report_text.JSON_BEGINNING)
    if ending not in (".html", ".htm"):
        raise BadInput(f"{target}: name a file that ends in .html, .csv, or .json")
    try:
        import babel  # noqa: F401 - writes the numbers and dates

        from edge.panel.report_page import HTML_BEGINNING, report_in
    except ImportError:
        from edge.line import PAGE_REMEDY

        raise BadInput(
            f"{target}: HTML needs jinja2 and babel; {PAGE_REMEDY}, or write .csv"
        ) from None
    return ReportForm(partial(report_in, language), HTML_BEGINNING)


def sizes(
    state: RecordsDir = None,
    config: ConfigFile = None,
    reviewed: Annotated[
        Path | None,
        typer.Option(**PATH, help="folder of an export --review that a person has put right"),
    ] = None,
    least: Annotated[
        int, typer.Option(min=2, max=10**6, help="number of items that a class needs for a size")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Learn how large the items of each class are from records that a person has reviewed."""
    from edge.decision.learned_sizes import learned_sizes, reviewed_labels, reviewed_sides
    from edge.records.store import RECORDS_NAME, Store

    path = read_settings(config, state=state).state_folder / RECORDS_NAME
    labels = reviewed_labels(reviewed) if reviewed is not None else {}
    with Store(path, read_only=True) as store:
        sides = reviewed_sides(store.all(crops=False), labels)
    found = learned_sizes(sides, least)
    if as_json:
        out.print(json.dumps({label: size.model_dump() for label, size in found.items()}))
        return
    for label in sorted(set(sides) - set(found)):
        log.warning("%s: %d of %d items; no size", safe_line(label), len(sides[label]), least)
    if not found:
        raise BadInput(f"{path}: no class has {least} measured items that a person has reviewed")
    _print_sizes(found)


def _print_sizes(found: "dict[str, SizeDistribution]") -> None:
    """Print sizes as a manifest or a configuration has them."""
    out.print("[sizes]")
    for label, size in found.items():
        values = f"median_mm = {size.median_mm:.1f}, spread = {size.spread:.3f}"
        out.print(f"{json.dumps(label, ensure_ascii=False)} = {{ {values} }}")
