"""`ewaste-edge teach` and `ewaste-edge learned`: classes from crops, and their generations."""

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands import sharing
from edge.commands.options import PATH, AsJson, ConfigFile, StateDir, parse_name
from edge.commands.settings import read_settings
from edge.commands.who import own_name
from edge.errors import BadInput
from edge.terminal import out, safe_line

if TYPE_CHECKING:
    from edge.config import Config
    from edge.learned.store import StoredGeneration
    from edge.learned.teaching import Taught

log = logging.getLogger(__name__)

app = typer.Typer(
    help="What the device has learned beside its bundle: list, go back, remove, export.",
    no_args_is_help=True,
)
Label = Annotated[str, typer.Argument(parser=parse_name, metavar="LABEL", help="name of the class")]


def teach(
    label: Label,
    *,
    source: Annotated[
        Path | None,
        typer.Option("--from", **PATH, help="folder with pictures of the class, about 20"),
    ] = None,
    from_review: Annotated[
        bool, typer.Option(help="take the crops that persons gave this label")
    ] = False,
    bin_name: Annotated[
        str | None,
        typer.Option("--bin", parser=parse_name, metavar="BIN", help="where its items go"),
    ] = None,
    hazard: Annotated[bool, typer.Option(help="it must never reach another label's bin")] = False,
    at_once: Annotated[
        bool, typer.Option("--now", help="a running line takes it also while its belt moves")
    ] = False,
    state: StateDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Teach the device a new class from about 20 pictures. Exit code 3: it was refused."""
    from edge.learned.store import LearnedStep, add_generation

    if (source is None) == (not from_review):
        raise BadInput("say where the pictures are: --from DIR, or --from-review")
    settings = read_settings(config, state=state)
    taught, parent = _taught(settings, label, source, bin_name, hazard)
    step = LearnedStep(f"taught {label}", by=own_name(), parent=parent, at_once=at_once)
    made = add_generation(settings.learned, taught.manifest, taught.contents, step)
    new = taught.manifest.classes[-1]
    if as_json:
        figures = {
            "generation": made.number,
            "digest": made.digest,
            "label": label,
            "crops": len(new.crops),
            "left_out": list(taught.left_out),
            **new.figures.model_dump(),
            "asked": taught.asked,
        }
        out.print(json.dumps(figures))
        return
    for name in taught.left_out:
        out.print(safe_line(f"left out, more like what is known: {name}"))
    out.print(
        f"{safe_line(label)}: taught from {len(new.crops)} crops in {new.figures.seconds:.1f} s; "
        f"when they are left out, {new.figures.recall:.0%} of them are recognized; "
        f"{new.figures.known_taken:.1%} of the golden inputs are taken for it; "
        f"{taught.asked} items of old classes asked again"
    )
    if new.bin is None:
        out.print("it has no bin, so its items go to manual; --bin BIN gives it one")
    out.print(f"generation {made.number} is in use; back: ewaste-edge learned rollback")


def _taught(
    settings: "Config", label: str, source: Path | None, bin_name: str | None, hazard: bool
) -> "tuple[Taught, str]":
    """The next generation, and the digest of the one that it is derived from."""
    from functools import partial

    from edge.config import check_bin, decision_rules, proved_bundle
    from edge.learned import crops
    from edge.learned.store import current_generation
    from edge.learned.teaching import Base, NewClass, check_label
    from edge.learned.teaching import teach as teach_class
    from edge.records.store import RECORDS_NAME

    records = settings.state_folder / RECORDS_NAME
    check_bin(settings, label, bin_name)
    current = current_generation(settings.learned, with_crops=True)
    bundle, classifier = proved_bundle(settings)
    parent = "" if current is None else current.digest
    if current is not None and current.manifest.base != bundle.digest:
        log.warning(
            "generation %d was learned beside another bundle and is left; ewaste-edge learned "
            "export has its crops",
            current.number,
        )
        current = None
    check_label(label, bundle.labels, None if current is None else current.manifest)
    found, problems = (
        crops.crops_of_reviews(records, label) if source is None else crops.crops_in(source)
    )
    for problem in problems:
        log.warning("skipped %s", problem)
    if not found:
        raise BadInput(
            f"no item was reviewed as {label}" if source is None else f"{source}: no pictures"
        )
    base = Base(bundle, classifier, current, partial(decision_rules, settings, bundle))
    new = NewClass(label, bin_name, hazard, found, own_name())
    return teach_class(new, base, crops.to_ask_again(records, bundle.labels), time.time()), parent


@app.command("list")
def list_generations(
    config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False
) -> None:
    """List the generations, the newest first: what was learned, by whom, and what became of it."""
    from edge.learned.store import stored_generations
    from edge.status import read_status

    settings = read_settings(config, state=state)
    found = stored_generations(settings.learned)
    if as_json:
        out.print(json.dumps([_row(each) for each in found]))
        return
    if not found:
        out.print("nothing is learned; a line decides by its bundle alone")
    for each in found:
        out.print(safe_line(_line(each)))
    status = read_status(settings.state_folder)
    if found and status is not None and status.is_at_work(time.time()):
        runs = f"generation {status.learned}" if status.learned else "its bundle alone"
        out.print(f"the running line decides by {runs}")


@app.command("rollback")
def roll_back_generation(config: ConfigFile = None, state: StateDir = None) -> None:
    """Go back to the generation before the one in use; a running line does so within seconds."""
    from edge.learned.store import roll_back

    found = roll_back(read_settings(config, state=state).learned, by=own_name())
    if found is None:
        out.print("nothing that was learned is in use any more: the bundle decides alone")
    else:
        out.print(f"generation {found.number} is in use")


@app.command("remove")
def remove(label: Label, config: ConfigFile = None, state: StateDir = None) -> None:
    """Forget a class that was taught; what else was learned stays."""
    from edge.learned.removal import without_class
    from edge.learned.store import LearnedStep, add_generation, current_generation

    settings = read_settings(config, state=state)
    current = current_generation(settings.learned, with_crops=True)
    if current is None:
        raise BadInput(f"{settings.learned}: nothing is learned")
    manifest, contents = without_class(current, label, time.time(), own_name())
    step = LearnedStep(f"removed {label}", by=own_name(), parent=current.digest)
    made = add_generation(settings.learned, manifest, contents, step)
    out.print(f"{safe_line(label)}: forgotten; generation {made.number} is in use")


@app.command("export")
def export_crops(
    target: Annotated[Path, typer.Argument(**PATH, help="folder to make, for training")],
    *,
    number: Annotated[
        int | None, typer.Option("--generation", min=1, max=10**9, help="not the one in use")
    ] = None,
    config: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Write the crops of the taught classes as CLASS/*.jpg, for the next training."""
    from edge.learned.export import export_learned
    from edge.learned.store import current_generation, load_generation

    store = read_settings(config, state=state).learned
    if number is None:
        found = current_generation(store, with_crops=True)
    else:
        found = load_generation(store, number, with_crops=True)
    if found is None or not found.manifest.classes:
        raise BadInput(f"{store}: no class is taught, so there is nothing to export")
    written = export_learned(found, target)
    labels = ", ".join(found.manifest.labels)
    out.print(safe_line(f"{target}: {written} pictures of {labels}"))


app.command("key")(sharing.show_key)
app.command("share")(sharing.share_classes)
app.command("import")(sharing.import_classes)


def _row(each: "StoredGeneration") -> dict[str, Any]:
    entry, found = each.entry, each.generation
    row: dict[str, Any] = {"number": each.number, "in_use": each.in_use, "problem": each.problem}
    if found is not None:
        manifest = found.manifest
        row |= {
            "digest": found.digest,
            "base": manifest.base,
            "classes": [
                {
                    "label": taught.label,
                    "bin": taught.bin,
                    "hazard": taught.hazard,
                    "crops": len(taught.crops),
                    **taught.figures.model_dump(),
                }
                for taught in manifest.classes
            ],
            "calibrated": manifest.calibration is not None,
        }
    if entry is not None:
        row |= {
            "what": entry.name,
            "by": entry.by,
            "at": entry.installed_at,
            "standing": entry.standing.value,
            "why": entry.why,
        }
    return row


def _line(each: "StoredGeneration") -> str:
    mark = "*" if each.in_use else " "
    if each.generation is None:
        return f"{mark} {each.number:3}  cannot be read: {each.problem}"
    manifest, entry = each.generation.manifest, each.entry
    classes = ", ".join(manifest.labels) or "no class"
    parts = [f"{mark} {each.number:3}  {classes}" + (", calibrated" * bool(manifest.calibration))]
    parts.append(f"beside {manifest.base_name}")
    if entry is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.installed_at))
        parts.append(f"{entry.name} by {entry.by or 'somebody'}, {when}")
        parts.append(entry.standing.value.replace("_", " "))
        if entry.why:
            parts.append(entry.why)
    return "; ".join(parts)
