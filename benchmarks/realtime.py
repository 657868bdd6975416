"""The line in real time on a film of a fast belt: python benchmarks/realtime.py --minutes 10.

The film is rendered first. The capture process of the line plays it and is measured separately.
With `--browsers` the line runs by turns alone, and with the page that so many browsers look at.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer

from edge.cameras.device import FILM
from edge.cameras.film import Film
from edge.config import read_config
from edge.errors import BadInput, EwasteError
from edge.priority import lower_priority
from edge.records.record import ItemRecord
from edge.records.store import RECORDS_NAME, Store
from edge.simulator.filming import render_film
from edge.simulator.scenario import read_scenario
from edge.simulator.simulate import PhotoFolders, config_for_scenario
from edge.verdict import Reason
from train.command import command

TEXTURES = 18
"""Belt textures in the film, 2 m each."""
WARM_UP_S = 10.0
SAMPLE_S = 1.0
TURNS = 2
"""With browsers: how often the line runs alone and beside them, by turns."""
STAGES = ("detect_ms", "classify_ms", "verdict_ms")


@dataclass
class Watch:
    """A process that is sampled once per second."""

    process: psutil.Process
    resident_mb: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Sample memory and processor time."""
        times = self.process.cpu_times()
        self.resident_mb.append(self.process.memory_info().rss / 2**20)
        self.cpu_s.append(times.user + times.system)

    @property
    def cores(self) -> float:
        """Mean number of busy cores."""
        return (self.cpu_s[-1] - self.cpu_s[0]) / ((len(self.cpu_s) - 1) * SAMPLE_S)


@contextmanager
def browsers_on(port: int, count: int, folder: Path) -> Iterator[None]:
    """Let Chromium browsers look at the page of this machine, standing back for the line.

    On a real line they run on other devices; here they get what the line leaves: niceness 19, of
    the process and of its session, since Linux may share the processor between sessions first.
    """
    chromium = shutil.which("chromium")
    if count and chromium is None:
        raise EwasteError("--browsers needs Chromium; on Debian: apt install chromium")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,800"]
    page = f"http://127.0.0.1:{port}/"
    started = [
        subprocess.Popen(
            [str(chromium), *flags, f"--user-data-dir={folder / name}", page],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for name in (f"browser-{number}" for number in range(count))
    ]
    for browser in started:
        lower_priority(browser.pid, 19)
    try:
        yield
    finally:
        for browser in started:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def watch_line(command: list[str], seconds: float) -> tuple[Watch, Watch, dict]:
    """Run the line and sample it and its capture process.

    Returns:
        The samples of both, and the counts that the line printed.

    Raises:
        EwasteError: the line ended early.
    """
    line = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(WARM_UP_S)
    watched = Watch(psutil.Process(line.pid))
    (capture,) = (
        Watch(child)
        for child in watched.process.children()
        if "edge.cameras.capture" in child.cmdline()
    )
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if line.poll() is not None:
            raise EwasteError(f"the line ended with exit code {line.returncode}")
        watched.sample()
        capture.sample()
        time.sleep(SAMPLE_S)
    line.send_signal(signal.SIGTERM)
    return watched, capture, json.loads(line.communicate()[0])


def figures_of(
    film: Film, records: list[ItemRecord], line: Watch, capture: Watch, counts: dict
) -> dict:
    """The figures of a run."""
    seconds = counts["frames_seen_s"]
    loop_s = film.loop_mm / film.speed_mm_s
    settled = records[len(records) // 20 :]
    third = max(1, len(line.resident_mb) // 3)
    stages = {
        stage: {
            f"p{share}": float(np.percentile([getattr(each, stage) for each in settled], share))
            for share in (50, 99)
        }
        for stage in STAGES
        if settled
    }
    return {
        "seconds": seconds,
        "items": len(records),
        "items_expected": len(film.labels) * seconds / loop_s,
        "items_per_minute": len(records) / seconds * 60,
        "unclassified": sum(not each.views and each.reason != Reason.TOUCHING for each in records),
        "touching": sum(each.reason == Reason.TOUCHING for each in records),
        "views_per_item": float(np.mean([each.views for each in records])) if records else 0.0,
        "deadlines_missed": counts["deadlines_missed"],
        "frames": counts["frames"],
        "frames_dropped": counts["frames_dropped"],
        "stages": stages,
        "line_cores": line.cores,
        "camera_process_cores": capture.cores,
        "resident_mb_first_third": float(np.median(line.resident_mb[:third])),
        "resident_mb_last_third": float(np.median(line.resident_mb[-third:])),
        "resident_mb_peak": max(line.resident_mb),
    }


def measure(
    scenario_name: str,
    *,
    minutes: float,
    photos: Path | None,
    empty: bool,
    threads: int,
    browsers: int = 0,
    gap_mm: tuple[float, float] | None = None,
) -> dict:
    """Render the film, run the line on it, and measure it.

    `gap_mm` is the least and the greatest distance between two items instead of the scenario's.

    Raises:
        BadInput: the gaps are out of their range.
        EwasteError: the film or the line failed.
    """
    scenario = read_scenario(scenario_name)
    if gap_mm is not None:
        if not 0 <= gap_mm[0] <= gap_mm[1] <= 10_000:
            raise BadInput("--gap-mm: expected two distances, 0 to 10000, the smaller one first")
        load = scenario.load.model_copy(update={"gap_mm": gap_mm})
        scenario = scenario.model_copy(update={"load": load})
    if empty:
        scenario = scenario.model_copy(update={"items": 0})
    config = config_for_scenario(read_config(None), scenario)
    with tempfile.TemporaryDirectory(prefix="ewaste-film-") as scratch:
        folder = Path(scratch)
        film = render_film(
            folder, config, scenario, textures=TEXTURES, seed=1, pictures=PhotoFolders(photos)
        )
        settings = folder / "line.toml"
        settings.write_text(
            f"gate_travel_s = {scenario.gate_travel_s}\n"
            f"[camera]\nsource = '{FILM}{folder}'\nfps = {film.fps}\nfrozen_s = 0\n"
            f"[belt]\nspeed_mm_s = {film.speed_mm_s}\n[classifier]\nthreads = {threads}\n"
        )
        command = [sys.executable, "-m", "edge.cli", "run", "--config", str(settings), "--json"]
        if not browsers:
            return run_once(command, film, folder / "state", seconds=60 * minutes)
        runs: dict[str, list[dict]] = {"alone": [], "with browsers": []}
        for turn in range(TURNS):
            for name, found in runs.items():
                state = folder / f"state-{turn}-{len(name)}"
                looking = browsers if name != "alone" else 0
                found.append(
                    run_once(command, film, state, seconds=60 * minutes / TURNS, browsers=looking)
                )
        return compared(runs)


def run_once(
    command: list[str], film: Film, state: Path, *, seconds: float, browsers: int = 0
) -> dict:
    """Run the line on a film and return its figures.

    Args:
        command: the line, without its state folder and its page.
        film: what its camera sees.
        state: its state folder, new.
        seconds: how long it is measured.
        browsers: how many look at its page; without any it has none.

    Raises:
        EwasteError: the line failed.
    """
    port = free_port()
    page = ["--port", str(port)] if browsers else ["--no-panel"]
    state.mkdir()
    with browsers_on(port, browsers, state):
        line, capture, counts = watch_line([*command, *page, "--state", str(state)], seconds)
    with Store(state / RECORDS_NAME, read_only=True) as store:
        records = list(store.all())
    counts["frames_seen_s"] = (counts["frames"] + counts["frames_dropped"]) / film.fps
    return figures_of(film, records, line, capture, counts)


def compared(runs: Mapping[str, list[dict]]) -> dict:
    """What browsers cost the line: medians over the turns, and their ratios."""
    found: dict[str, dict] = {}
    for name, turns in runs.items():
        found[name] = {
            "items_per_minute": float(np.median([each["items_per_minute"] for each in turns])),
            "frames_dropped": sum(each["frames_dropped"] for each in turns),
            "deadlines_missed": sum(each["deadlines_missed"] for each in turns),
        }
        for share in ("p50", "p99"):
            of_turns = [each["stages"]["verdict_ms"][share] for each in turns]
            found[name][f"verdict_ms_{share}"] = float(np.median(of_turns))
    alone, beside = found["alone"], found["with browsers"]
    ratios = {
        name: beside[name] / alone[name]
        for name in ("items_per_minute", "verdict_ms_p50", "verdict_ms_p99")
    }
    return {**found, "ratio": ratios}


def main(
    *,
    scenario: Annotated[
        str, typer.Option(help="scenario that defines load, camera and speed")
    ] = "rush",
    minutes: Annotated[float, typer.Option(min=0.2, help="duration, minutes")] = 10.0,
    photos: Annotated[Path | None, typer.Option(help="folder of photos, CLASS/*.jpg")] = None,
    empty: Annotated[bool, typer.Option("--empty", help="run an empty belt")] = False,
    threads: Annotated[int, typer.Option(min=1, help="threads of an inference")] = 2,
    browsers: Annotated[
        int, typer.Option(min=0, max=20, help="browsers that look at the page, compared with none")
    ] = 0,
    gap_mm: Annotated[
        tuple[float, float] | None,
        typer.Option(help="least and greatest distance between items instead of the scenario's"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Run the line in real time. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command():
        figures = measure(
            scenario,
            minutes=minutes,
            photos=photos,
            empty=empty,
            threads=threads,
            browsers=browsers,
            gap_mm=gap_mm,
        )
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value:.2f}" if isinstance(value, float) else f"{name:24} {value}")


if __name__ == "__main__":
    typer.run(main)
