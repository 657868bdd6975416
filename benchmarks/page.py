"""Memory and temporary files of the page over hours of visits: python benchmarks/page.py.

The demo's line runs beside it, on a simulated belt. Visitors open the page in all languages, ask
for what its tabs show, and try pictures of all sizes, one after the other.
"""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from PIL import Image

from benchmarks.realtime import free_port
from edge.errors import EwasteError
from edge.language import Language
from train.command import command

START_S = 60.0
READ = (
    "",
    "parts.json",
    "live.jpg",
    "model.json",
    "alarms.json",
    "search.json",
    "history.json",
    "shift.json",
    "metrics",
)
REPORT = "report.html?from="
LONGEST_SIDE = 2400


@dataclass(frozen=True)
class PageRow:
    """What the page took, by thirds of the time.

    Attributes:
        visits: how often somebody came.
        tried: number of pictures that got a verdict.
        refused: answers that were no success.
        resident_mb: median memory in each third, MB.
        peak_mb: the most memory of all samples, MB.
        temporary_kb: most bytes of temporary files in each third, kB.
        ratio: memory of the last third to that of the first.
    """

    visits: int
    tried: int
    refused: int
    resident_mb: tuple[float, ...]
    peak_mb: float
    temporary_kb: tuple[float, ...]
    ratio: float


@contextmanager
def demo_page(temporary: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Within: the demo runs; the values are the address of its page, and the page's process.

    Raises:
        EwasteError: there is no page in time.
    """
    address = f"http://127.0.0.1:{(port := free_port())}/"
    line = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", "demo", "--port", str(port)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + START_S
        while ask(address + "health") is None:
            if time.monotonic() > until or line.poll() is not None:
                raise EwasteError("the demo serves no page")
            time.sleep(0.5)
        (page,) = (
            child
            for child in psutil.Process(line.pid).children(recursive=True)
            if "edge.panel" in child.cmdline()
        )
        yield address, page
    finally:
        line.send_signal(signal.SIGTERM)
        line.wait(30)


def ask(
    address: str, body: bytes | None = None, language: Language = Language.ENGLISH
) -> int | None:
    """Ask for an address, or send bytes to it: the status; None: nobody answers."""
    headers = {"Cookie": f"ewaste_language={language.value}"}
    if body is not None:
        headers["Content-Type"] = "application/octet-stream"
    request = urllib.request.Request(address, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def any_picture(rng: np.random.Generator) -> bytes:
    """A picture of any size and form, as JPEG or PNG."""
    width, height = rng.integers(40, LONGEST_SIDE, 2)
    coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    picture = Image.fromarray(coarse).resize((int(width), int(height)))
    stream = io.BytesIO()
    picture.save(stream, "JPEG" if rng.random() < 0.7 else "PNG")
    return stream.getvalue()


def temporary_bytes(folder: Path) -> int:
    """Bytes of all files that pages left below a folder for temporary files."""
    files = (path for top in folder.glob("ewaste-panel-*") for path in top.rglob("*"))
    return sum(path.stat().st_size for path in files if path.is_file())


def measure(minutes: float, pause_s: float, seed: int) -> PageRow:
    """Let visitors come for some time.

    Args:
        minutes: how long.
        pause_s: between two visits, s.
        seed: of the pictures.

    Raises:
        EwasteError: there is no page, or it ends.
    """
    rng = np.random.default_rng(seed)
    resident, temporary = [], []
    visits = tried = refused = 0
    with (
        tempfile.TemporaryDirectory(prefix="ewaste-visits-") as scratch,
        demo_page(Path(scratch)) as (address, page),
    ):
        until = time.monotonic() + 60 * minutes
        read = (*READ, REPORT + time.strftime("%Y-%m-%d"))
        while time.monotonic() < until:
            language = list(Language)[visits % len(Language)]
            answers = [ask(address + path, language=language) for path in read]
            tries = [ask(address + "try", any_picture(rng), language) for _ in range(2)]
            if None in answers or not page.is_running():
                raise EwasteError("the page does not answer any more")
            visits, tried = visits + 1, tried + tries.count(200)
            refused += sum(status != 200 for status in (*answers, *tries))
            resident.append(page.memory_info().rss / 2**20)
            temporary.append(temporary_bytes(Path(scratch)) / 1000)
            time.sleep(pause_s)
    thirds = np.array_split(np.arange(len(resident)), 3)
    memory = [float(np.median([resident[index] for index in third])) for third in thirds]
    return PageRow(
        visits=visits,
        tried=tried,
        refused=refused,
        resident_mb=tuple(round(each, 1) for each in memory),
        peak_mb=round(max(resident), 1),
        temporary_kb=tuple(max(temporary[index] for index in third) for third in thirds),
        ratio=round(memory[-1] / memory[0], 3),
    )


def main(
    *,
    minutes: Annotated[float, typer.Option(min=0.2, help="duration, minutes")] = 60.0,
    pause: Annotated[float, typer.Option(min=0, help="time between two visits, s")] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="seed of the pictures")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure the page under visits. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command():
        row = asdict(measure(minutes, pause, seed))
    if as_json:
        print(json.dumps(row))
        return
    for name, value in row.items():
        print(f"{name:14} {value}")


if __name__ == "__main__":
    typer.run(main)
