"""The line against what people use instead, on the same films: python benchmarks/peers.py.

Each peer runs in its own process with its own Python: they cannot share one environment. Those that
are not installed are named, with what to install.
"""

from edge.process_setup import limit_threads, silence_tensorflow

limit_threads()
silence_tensorflow()

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from benchmarks.peer_film import PlantFilm, blank, render
from benchmarks.peer_list import (
    PEERS,
    Given,
    Missing,
    Present,
    bundle_model,
    look_for,
    run_line,
    run_peer,
)
from benchmarks.peer_score import (
    Place,
    line_places,
    line_right,
    miscounts,
    peer_right,
    ratio,
)
from benchmarks.rounds import order_of_turn
from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.config import Config
from edge.errors import BadInput
from edge.simulator.scenario import Scenario, read_scenario
from edge.simulator.simulate import PhotoFolders, config_for_scenario
from train.command import command, print_json, print_lines, print_table

LINE = "the line"
LINE_BY_CAMERA = "the line, no encoder"
BY_CAMERA = "camera"
COUNTED = ("even-30", "crowded", "shadow", "stop-and-go", "stop-and-go-hard", "jog-back")
NAMES = ", ".join(peer.name for peer in PEERS)


@dataclass(frozen=True)
class ClassifyRow:
    """What one of them made of the film, as a classifier.

    Attributes:
        name: of the peer, or the line.
        version: of its package.
        items: number of items in the film.
        right: number of items with the right label.
        share: of the items that are right, 0 to 1.
        cpu_s: processor time for the film, the median over the rounds, s.
        right_per_cpu_s: `right` divided by `cpu_s`.
        ratio: how many times as many items the line has right per processor second; None: the peer
            has none right.
        low, high: its 95 % interval.
    """

    name: str
    version: str
    items: int
    right: int
    share: float
    cpu_s: float
    right_per_cpu_s: float
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class CountRow:
    """What one of them counted on the film of a scenario.

    Attributes:
        scenario: its name.
        name: of the peer, or the line.
        version: of its package.
        items: number of items in the film.
        missed: items that were not counted.
        twice: counts beyond the first of an item.
        nothing: counts where no item was.
        miscounted: all three.
        cpu_s: processor time for the film, s; the line also classifies.
    """

    scenario: str
    name: str
    version: str
    items: int
    missed: int
    twice: int
    nothing: int
    miscounted: int
    cpu_s: float


@dataclass(frozen=True)
class Setting:
    """What holds for a whole run.

    Attributes:
        bundle: the line's model.
        models: the models of the peers.
        threads: of each.
        whole_frame: whether classifiers get the whole frame; else its middle square.
        seed: of what lies on the belts.
        pictures: the photos on them.
    """

    bundle: Bundle
    models: Mapping[Given, Path]
    threads: int
    whole_frame: bool
    seed: int
    pictures: PhotoFolders

    def run(self, present: Present, film: PlantFilm) -> dict[str, Any]:
        """Let a peer work through a film."""
        return run_peer(
            present,
            film,
            model=self.models.get(present.peer.model),
            classes=len(self.bundle.labels),
            threads=self.threads,
            whole_frame=self.whole_frame,
        )


def compare_classifiers(
    film: PlantFilm, setting: Setting, peers: Sequence[Present], rounds: int
) -> list[ClassifyRow]:
    """Let the line and its peers work through a film, in turns.

    Raises:
        EwasteError: one of them failed.
    """
    ways: list[Callable[[], dict[str, Any]]] = [
        lambda: run_line(film, setting.bundle, threads=setting.threads)
    ]
    ways += [lambda present=present: setting.run(present, film) for present in peers]
    names = [(LINE, ""), *((each.peer.name, each.version) for each in peers)]
    spent_s = np.zeros((rounds, len(ways)))
    right = [np.zeros(0, bool)] * len(ways)
    for number in range(rounds):
        for place in order_of_turn(number, len(ways)):
            answer = ways[place]()
            spent_s[number, place] = answer["cpu_s"]
            _progress(f"round {number + 1}, {names[place][0]}: {answer['cpu_s']:.1f} s")
            if "records" in answer:
                right[place] = line_right(film.placed, answer["records"])
            else:
                right[place] = peer_right(film, answer["classes"], setting.bundle.labels)
    return [_classify_row(names[place], right, spent_s, place=place) for place in range(len(ways))]


def _classify_row(
    name: tuple[str, str], right: Sequence[np.ndarray], spent_s: np.ndarray, *, place: int
) -> ClassifyRow:
    """A row; `right` is bool [ways][items], `spent_s` is [rounds, ways], and the line is first."""
    cpu_s, items = float(np.median(spent_s[:, place])), right[place]
    against = ratio(right[0], spent_s[:, 0], items, spent_s[:, place])
    return ClassifyRow(
        name=name[0],
        version=name[1],
        items=len(items),
        right=int(items.sum()),
        share=round(float(items.mean()), 4),
        cpu_s=round(cpu_s, 3),
        right_per_cpu_s=round(float(items.sum()) / cpu_s, 3),
        ratio=None if against is None else round(against.value, 3),
        low=None if against is None else round(against.low, 3),
        high=None if against is None else round(against.high, 3),
    )


def compare_counters(
    name: str, film: PlantFilm, setting: Setting, peers: Sequence[Present]
) -> list[CountRow]:
    """Let the line, with and without an encoder, and its peers count the items of a film.

    Raises:
        EwasteError: one of them failed.
    """
    rows = []
    for who, encoder in ((LINE, None), (LINE_BY_CAMERA, BY_CAMERA)):
        answer = run_line(film, setting.bundle, threads=setting.threads, encoder=encoder)
        places = line_places(answer["records"])
        rows.append(
            _count_row(film, places, scenario=name, name=who, version="", cpu_s=answer["cpu_s"])
        )
    for present in peers:
        answer = setting.run(present, film)
        places = peer_places(film, answer["counted"])
        rows.append(
            _count_row(
                film,
                places,
                scenario=name,
                name=present.peer.name,
                version=present.version,
                cpu_s=answer["cpu_s"],
            )
        )
    return rows


def peer_places(film: PlantFilm, counted: Sequence[tuple[int, float, float, int]]) -> list[Place]:
    """Where a peer counted; one that went back takes the nearest count off.

    Args:
        film: the film.
        counted: frame, column and row, px, and 1 or -1.
    """
    geometry = config_for_scenario(Config(), film.scenario).geometry
    places: list[Place] = []
    for frame, x, y, step in counted:
        here = Place(geometry.belt_position(x, film.belt_mm[frame]), geometry.belt_offset(y))
        if step > 0:
            places.append(here)
        elif places:
            places.remove(min(places, key=lambda each: abs(each.position_mm - here.position_mm)))
    return places


def _count_row(
    film: PlantFilm, places: list[Place], *, scenario: str, name: str, version: str, cpu_s: float
) -> CountRow:
    errors = miscounts(film.placed, places)
    _progress(f"{scenario}, {name}: {errors.total} miscounted")
    return CountRow(
        scenario=scenario,
        name=name,
        version=version,
        items=len(film.placed),
        missed=errors.missed,
        twice=errors.twice,
        nothing=errors.nothing,
        miscounted=errors.total,
        cpu_s=round(cpu_s, 3),
    )


def measure(
    setting: Setting,
    peers: Sequence[Present],
    *,
    belt: Scenario,
    rounds: int,
    counted: Mapping[str, Scenario],
) -> tuple[list[ClassifyRow], list[CountRow]]:
    """Render the films, one after the other, and run everybody on them.

    Args:
        setting: what holds for all.
        peers: those that are present.
        belt: what classifiers see; without items they are left out.
        rounds: turns of each classifier.
        counted: what counters see, by name.

    Raises:
        EwasteError: a film cannot be made, or a peer failed.
    """
    classified: list[ClassifyRow] = []
    counts: list[CountRow] = []
    with tempfile.TemporaryDirectory(prefix="ewaste-film-") as scratch:
        path = Path(scratch) / "frames.npy"

        def film_of(scenario: Scenario) -> PlantFilm:
            path.unlink(missing_ok=True)
            film = render(path, scenario, seed=setting.seed, pictures=setting.pictures)
            _progress(f"a film of {len(film.belt_mm)} frames")
            return film

        if belt.items:
            classifiers = [each for each in peers if not each.peer.counts]
            classified = compare_classifiers(film_of(belt), setting, classifiers, rounds)
        counters = [each for each in peers if each.peer.counts]
        for name, scenario in counted.items():
            counts += compare_counters(name, film_of(scenario), setting, counters)
    return classified, counts


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def classify_table(rows: Sequence[ClassifyRow]) -> Table:
    """The classifiers."""
    table = Table("classifying", "version", box=None, pad_edge=False)
    for heading in ("items", "right", "cpu_s", "right/cpu_s", "line is x times", "95 %"):
        table.add_column(heading, justify="right")
    for row in rows:
        known = row.ratio is not None
        table.add_row(
            row.name,
            row.version,
            str(row.items),
            f"{row.share:.1%}",
            f"{row.cpu_s:.1f}",
            f"{row.right_per_cpu_s:.2f}",
            f"{row.ratio:.2f}" if known else "-",
            f"{row.low:.2f} to {row.high:.2f}" if known else "-",
        )
    return table


def count_table(rows: Sequence[CountRow]) -> Table:
    """The counters: errors on each scenario."""
    table = Table("counting", "", box=None, pad_edge=False)
    for heading in ("items", "missed", "twice", "nothing", "miscounted", "cpu_s"):
        table.add_column(heading, justify="right")
    for row in rows:
        numbers = (row.items, row.missed, row.twice, row.nothing, row.miscounted)
        table.add_row(row.scenario, row.name, *map(str, numbers), f"{row.cpu_s:.1f}")
    return table


def missing_lines(missing: Sequence[Missing]) -> list[str]:
    """Those that were not run, and what to do."""
    return [f"not run: {each.name}: {each.reason}; {each.remedy}" for each in missing]


def read_pythons(given: Sequence[str]) -> dict[str, list[str]]:
    """The Pythons of peers, from NAME=PYTHON; a peer may have several.

    Raises:
        BadInput: it is not of this form, or there is no such peer.
    """
    pythons: dict[str, list[str]] = {}
    for each in given:
        name, _, python = each.partition("=")
        if name not in {peer.name for peer in PEERS} or not python:
            raise BadInput(f"--peer {each}: expected NAME=PYTHON, NAME one of {NAMES}")
        pythons.setdefault(name, []).append(python)
    return pythons


def read_models(bundle: Bundle, given: Mapping[Given, Path | None]) -> dict[Given, Path]:
    """The models that were given, and the bundle's.

    Raises:
        BadInput: there is no such file.
    """
    models = {which: path for which, path in given.items() if path is not None}
    for which, path in models.items():
        if not path.is_file():
            raise BadInput(f"{which.value} {path}: no such file")
    return models | {Given.BUNDLE: bundle_model(bundle)}


def main(
    *,
    scenario: Annotated[
        str, typer.Option(help="scenario whose belt the classifiers see")
    ] = "even-30",
    items: Annotated[
        int, typer.Option(min=0, help="number of items for the classifiers; 0: leave them out")
    ] = 30,
    rounds: Annotated[int, typer.Option(min=1, help="turns of each classifier")] = 3,
    counted: Annotated[
        list[str], typer.Option(help="scenario on which items are counted; repeatable")
    ] = list(COUNTED),  # noqa: B006
    count_items: Annotated[
        int, typer.Option(min=0, help="number of items for the counters; 0: leave them out")
    ] = 30,
    threads: Annotated[int, typer.Option(min=1, help="threads of each")] = 1,
    whole_frame: Annotated[
        bool,
        typer.Option("--whole-frame", help="give classifiers whole frames, not the middle square"),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="random seed of the items")] = 0,
    photos: Annotated[
        Path | None, typer.Option(help="folder of photos, CLASS/*.jpg; default: drawn items")
    ] = None,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    keras: Annotated[Path | None, typer.Option(help="model.keras of a run")] = None,
    onnx: Annotated[Path | None, typer.Option(help="the model as ONNX")] = None,
    ncnn: Annotated[Path | None, typer.Option(help="the model as .param of ncnn")] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(help=f"peer as NAME=PYTHON, NAME one of {NAMES}; repeatable"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Compare the line with its peers. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    with command():
        loaded, pythons = load_bundle(bundle), read_pythons(peer or ())
        models = read_models(loaded, {Given.KERAS: keras, Given.ONNX: onnx, Given.NCNN: ncnn})
        belt = read_scenario(scenario).model_copy(update={"items": items})
        films = {
            name: read_scenario(name).model_copy(update={"items": count_items})
            for name in (counted if count_items else ())
        }
        sought = [each for each in PEERS if (films if each.counts else items)]
        setting = Setting(
            bundle=loaded,
            models=models,
            threads=threads,
            whole_frame=whole_frame,
            seed=seed,
            pictures=PhotoFolders(photos),
        )
        with tempfile.TemporaryDirectory(prefix="ewaste-film-") as scratch:
            short = blank(Path(scratch) / "frames.npy")
            present, missing = look_for(
                sought, pythons, models, lambda peer: setting.run(peer, short)
            )
        classified, counts = measure(setting, present, belt=belt, rounds=rounds, counted=films)
        if as_json:
            print_json(
                {
                    "classifying": [asdict(row) for row in classified],
                    "counting": [asdict(row) for row in counts],
                    "missing": [asdict(each) for each in missing],
                }
            )
            return
        if classified:
            print_table(classify_table(classified))
        if counts:
            print_table(count_table(counts))
        print_lines(missing_lines(missing))


if __name__ == "__main__":
    typer.run(main)
