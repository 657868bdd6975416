"""`ewaste-edge recalibrate`: fit the bundle's decisions to the site, by what persons reviewed."""

import json
import logging
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.options import AsJson, ConfigFile, StateDir
from edge.commands.printing import print_table
from edge.commands.settings import read_settings
from edge.commands.who import own_name
from edge.errors import Refused
from edge.terminal import out, safe_line

if TYPE_CHECKING:
    from edge.calibration.outcome import SiteOutcome
    from edge.learned.recalibrating import SiteResult

log = logging.getLogger(__name__)

OVERRULING = ("threshold", "thresholds", "hazard_threshold", "unknown_threshold")
"""Keys of [decision] that overrule what is fitted."""


def recalibrate(
    start: Annotated[
        str | None,
        typer.Option("--from", help="only items from then on: a date, or 2026-11-29T06:00"),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="only items before then; default: now")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option(help="only show what it would come to")] = False,
    state: StateDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Fit temperature, thresholds, and the limit of the unknown to this site, by reviewed items.

    Only items that were drawn at random count. Exit code 3: it would be worse than what is in use.
    """
    from edge.config import proved_bundle
    from edge.learned.recalibrating import keep, recalibrate_site
    from edge.records.period import Period, parse_period, parse_time
    from edge.records.store import RECORDS_NAME, Store

    now = time.time()
    settings = read_settings(config, state=state)
    if start is None:
        period = Period(0.0, now if end is None else parse_time(end, "to"))
    else:
        period = parse_period(start, end or "", now)
    folder = settings.state_folder
    Store(folder / RECORDS_NAME, read_only=True).close()  # before seconds go into the bundle
    bundle, classifier = proved_bundle(settings)
    for key in OVERRULING:
        if key in settings.decision.model_fields_set:
            log.warning("decision.%s of the configuration overrules what is fitted here", key)
    result = recalibrate_site(folder, settings.learned, bundle, classifier, period)
    generation = None
    if not result.found.problem and not dry_run:
        generation = keep(settings.learned, bundle, result, by=own_name(), now=now).number
    if as_json:
        out.print(json.dumps(_as_json(result, generation)))
    else:
        _print(result)
        if generation is not None:
            out.print(f"generation {generation} is in use; back: ewaste-edge learned rollback")
    if result.found.problem:
        raise Refused(f"not recalibrated: {result.found.problem}; what is in use stays")


def _print(result: "SiteResult") -> None:
    """Print a result as a table, with what changes and what stays."""
    found, classified = result.found, result.classified
    before, after = found.before, found.after
    counted = f"{before.items} reviewed items of a known class, {before.others} of none"
    if classified.left_out:
        counted += f"; left out: {classified.left_out} that show none or several"
    if classified.unreadable:
        counted += f", {classified.unreadable} whose picture cannot be read"
    rows = [
        *((name, _share(*then), _share(*now)) for name, then, now in _shares(before, after)),
        (
            "calibration error",
            f"{before.calibration_error:.1%}",
            f"{after.calibration_error:.1%}",
        ),
        (
            "cost, in items by hand",
            f"{before.cost(found.costs):.0f}",
            f"{after.cost(found.costs):.0f}",
        ),
    ]
    out.print(counted)
    out.print()
    print_table(("", "in use", "recalibrated"), rows)
    out.print()
    out.print(f"temperature {found.parameters.temperature:.3f}")
    for each in found.kept:
        what = (
            "so nothing is laxer than in the bundle that keeps it out of other bins"
            if each.is_hazard
            else "so its threshold is the bundle's"
        )
        name = safe_line(each.name)
        out.print(f"{name}: {each.items} of {each.least} reviewed items, {what}")


def _shares(before: "SiteOutcome", after: "SiteOutcome") -> list[tuple[str, tuple, tuple]]:
    """Name, (count, total) before, and (count, total) after."""
    rows: list[tuple[str, tuple, tuple]] = [
        ("in their own bin", (before.right, before.items), (after.right, after.items)),
        ("in another bin", (before.wrong, before.items), (after.wrong, after.items)),
        ("sorted by hand", (before.by_hand, before.items), (after.by_hand, after.items)),
    ]
    if before.others:
        sorted_then, sorted_now = before.others_sorted, after.others_sorted
        others = ((sorted_then, before.others), (sorted_now, after.others))
        rows.append(("others that were sorted", *others))
    for hazard, then in before.hazards.items():
        now = after.hazards[hazard]
        found = ((then.found, then.items), (now.found, now.items))
        leaked = ((then.leaked, then.items), (now.leaked, now.items))
        rows += [(f"{hazard} found", *found), (f"{hazard} in another bin", *leaked)]
    return rows


def _share(count: int, total: int) -> str:
    from edge.intervals import wilson

    if not total:
        return "none"
    low, high = wilson(count, total)
    return f"{count / total:.1%} ({low:.1%} to {high:.1%})"


def _as_json(result: "SiteResult", generation: int | None) -> dict[str, Any]:
    from edge.learned.recalibrating import calibration_of

    found, classified = result.found, result.classified
    return {
        "known": found.before.items,
        "others": found.before.others,
        "left_out": classified.left_out,
        "unreadable": classified.unreadable,
        "calibration": calibration_of(result).model_dump(mode="json"),
        "before": _outcome(found.before),
        "after": _outcome(found.after),
        "kept": [
            {"name": each.name, "items": each.items, "least": each.least, "hazard": each.is_hazard}
            for each in found.kept
        ],
        "problem": found.problem or None,
        "generation": generation,
    }


def _outcome(outcome: "SiteOutcome") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(outcome)
