"""A fleet of simulated boards at a real broker, and boards that ask a plain web server for updates.

Each board is a paho client with the messages of a line: one item a second, its state every 5 s, its
report every minute. The broker and the web server are processes of their own, whose processor time
and memory are measured.
"""

from edge.process_setup import limit_threads

limit_threads()  # before numpy is imported

import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from paho.mqtt import client as paho

from convert.repository import Place, promote, publish
from convert.role_keys import KeyFolders
from convert.roles import DAYS
from edge.bundle.bundle import DEFAULT_BUNDLE, load_bundle
from edge.bundle.history import Standing
from edge.config import MqttConfig
from edge.errors import BadInput, EwasteError
from edge.fleet.listening import FleetPlace, listen
from edge.fleet.report import BoardReport, BundleInUse, LineState, NewestBundle
from edge.fleet.table import as_lines
from edge.outputs.mqtt import valid_json
from edge.status import OutputHealth, Percentiles, Status
from edge.update.offer import Ring
from edge.update.upstream import Upstream, visited
from train.command import command, print_json, print_lines

ROOT = Path(__file__).parents[1]
BINS = ("hazardous", "boards", "small", "screens", "appliances", "manual")
STATE_EVERY, REPORT_EVERY = 5, 60
"""Seconds."""
CANARIES = 20
"""One board of so many is in the ring canary."""
ASKING_S, ASKERS = 3.0, 4
HOUR_S = 3600.0
MESSAGES_PER_S = 1 + 1 / STATE_EVERY + 1 / REPORT_EVERY
"""Of one board: items, states, reports."""
SIZES = (200, 1000, 10_000)
ITEM = {
    "item_id": "a1b2c3d4-00001234",
    "decided_at": 1_800_000_000.25,
    "label": "Washing Machine",
    "confidence": 0.9731,
    "bin": "appliances",
    "reason": "sorted",
    "detail": "Washing Machine 97% over 3 views, 412 mm",
    "late": False,
    "bundle": "b" * 64,
}


def main(
    *,
    boards: Annotated[int, typer.Option(min=1, max=900, help="simulated boards")] = 200,
    seconds: Annotated[float, typer.Option(min=2, help="how long the broker is watched, s")] = 10.0,
    retained: Annotated[
        int, typer.Option(min=1, max=20_000, help="reports for the table without boards behind")
    ] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure table, broker, and repository of a fleet. Exit code: 0 done."""
    with command(), tempfile.TemporaryDirectory(prefix="ewaste-fleet-") as made:
        folder = Path(made)
        with broker_in(folder) as (port, process):
            figures = fleet_figures(port, process, boards, seconds)
            figures |= {"retained": retained_figures(port, process, retained)}
        figures |= {"repository": repository_figures(folder)}
        figures |= {"on_paper": [on_paper(figures, size) for size in SIZES]}
        if as_json:
            print_json(figures)
        else:
            print_lines(in_words(figures))


@contextmanager
def broker_in(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """A mosquitto with its configuration as it comes, on loopback: its port, and its process."""
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise BadInput("mosquitto is not installed; run: apt install mosquitto")
    port = free_port()
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([program, "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        await_server(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def fleet_figures(
    port: int, process: psutil.Process, boards: int, seconds: float
) -> dict[str, Any]:
    """Let the boards report, watch the broker, and make the table meanwhile."""
    empty_mb = resident_mb(process)
    acknowledged: list[int] = []
    clients = [connected(port, number, acknowledged) for number in range(boards)]
    stop = threading.Event()
    sender = threading.Thread(target=send, args=(clients, stop), daemon=True)
    sender.start()
    time.sleep(REPORT_EVERY / 20 + 2)  # each has reported once
    before, known = processor_s(process), len(acknowledged)
    time.sleep(seconds)
    used_s, messages = processor_s(process) - before, len(acknowledged) - known
    place = FleetPlace(MqttConfig(host="127.0.0.1", port=port), "plant/+")
    listened_s, found = timed(lambda: listen(place))
    table_s, _ = timed(lambda: as_lines(found, time.time(), 160))
    options = ("--broker", f"127.0.0.1:{port}", "--topic", "plant/+")
    words = [sys.executable, "-m", "edge.cli", "fleet", *options]
    own_s = children_s()
    whole_s, _ = timed(lambda: subprocess.run(words, check=True, capture_output=True, cwd=ROOT))
    own_s = children_s() - own_s
    figures = {
        "boards": boards,
        "reported": len(found),
        "messages_per_s": boards * MESSAGES_PER_S,
        "messages_seen_per_s": messages / seconds,
        "report_bytes": len(report(0).model_dump_json(exclude_none=True)),
        "state_bytes": len(status()),
        "listening_s": listened_s,
        "table_s": table_s,
        "command_s": whole_s,
        "command_processor_s": own_s,
        "broker_ms_per_message": 1000 * used_s / max(1, messages),
        "broker_empty_mb": empty_mb,
        "broker_mb": resident_mb(process),
        "broker_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    stop.set()
    sender.join()
    for client in clients:
        client.disconnect()
        client.loop_stop()
    return figures


def connected(port: int, number: int, acknowledged: list[int]) -> paho.Client:
    """A board at the broker; each message that the broker has is added to `acknowledged`."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"line-{number}")
    client.will_set(f"plant/line-{number}/availability", "offline", 1, retain=True)
    client.on_publish = lambda *words: acknowledged.append(number)
    client.connect("127.0.0.1", port, keepalive=60)
    client.loop_start()
    client.publish(f"plant/line-{number}/availability", "online", 1, retain=True)
    return client


def send(clients: list[paho.Client], stop: threading.Event) -> None:
    """The messages of each board, spread over each second."""
    item, state, second = json.dumps(ITEM), status(), 0
    while not stop.is_set():
        began = time.monotonic()
        for number, client in enumerate(clients):
            topic = f"plant/line-{number}"
            client.publish(f"{topic}/items", item, 1)
            if second % STATE_EVERY == number % STATE_EVERY:
                client.publish(f"{topic}/state", state, 1, retain=True)
            if second == 0 or second % REPORT_EVERY == number % REPORT_EVERY:
                content = report(number).model_dump_json(exclude_none=True)
                client.publish(f"{topic}/board", content, 1, retain=True)
        second += 1
        stop.wait(max(0.0, 1 - (time.monotonic() - began)))


def report(number: int) -> BoardReport:
    """The report of a board."""
    bundle = {"name": "november", "digest": "b" * 64}
    return BoardReport(
        board=f"line-{number}",
        at=time.time(),
        program="0.1.0",
        ring=Ring.ALL if number % CANARIES else Ring.CANARY,
        state=LineState.RUNNING,
        bundle=BundleInUse(**bundle, created=time.time() - 1e6),
        items=10_000 + number,
        by_hand=3300,
        unknown=900,
        p99_ms=126.0,
        temperature_c=61.5,
        newest=NewestBundle(
            **bundle, standing=Standing.PASSED, why="20 of 200 items unknown or by hand, 21 before"
        ),
    )


def status() -> str:
    """The state of a line as it is published."""
    found = Status(
        updated_at=time.time(),
        state="running",
        camera="picamera2",
        bundle="november",
        digest="b" * 64,
        items=10_000,
        per_label=dict.fromkeys(("Battery", "Keyboard", "Mobile", "Mouse", "PCB"), 1000),
        per_bin=dict.fromkeys(BINS, 1600),
        latency=dict.fromkeys(("detect", "classify", "verdict"), Percentiles(p50=26.0, p99=126.0)),
        gates=dict.fromkeys(BINS, False),
        outputs=(OutputHealth(name="MQTT 10.0.0.5:8883", connected=True, sent=10_000),),
    )
    return valid_json(found.model_dump())


def retained_figures(port: int, process: psutil.Process, count: int) -> dict[str, Any]:
    """How many of so many retained reports the table gets, and in what time."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    content = [report(number).model_dump_json(exclude_none=True) for number in range(count)]
    sent = [
        client.publish(f"many/line-{number}/board", text, 1, retain=True)
        for number, text in enumerate(content)
    ]
    for each in sent:
        each.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()
    place = FleetPlace(MqttConfig(host="127.0.0.1", port=port), "many/+")
    listened_s, found = timed(lambda: listen(place))
    began = time.process_time()
    as_lines(found, time.time(), 160)
    table_s = time.process_time() - began
    return {
        "reports": count,
        "received": len(found),
        "listening_s": listened_s,
        "table_processor_s": table_s,
        "broker_mb": resident_mb(process),
    }


class CountingHandler(SimpleHTTPRequestHandler):
    """Serves files, and counts requests and bytes at `server.counts`."""

    def do_GET(self) -> None:
        """Serve a file."""
        self.server.counts[0] += 1  # type: ignore[attr-defined]
        super().do_GET()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file."""
        content = source.read()
        self.server.counts[1] += len(content)  # type: ignore[attr-defined]
        outputfile.write(content)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Visit:
    """What a visit to the repository takes.

    Attributes:
        requests: number of them.
        content_bytes: of all answers, without their heads.
        seconds: at the board.
    """

    requests: int
    content_bytes: int
    seconds: float


def repository_figures(folder: Path) -> dict[str, Any]:
    """Publish the shipped bundle, let boards ask, and load a plain web server."""
    keys = KeyFolders(online=folder / "keys", root=folder / "keys/root")
    place = Place(folder / "repository", keys, datetime.now(timezone.utc), DAYS)
    publish(place, load_bundle(DEFAULT_BUNDLE))
    promote(place)
    handler = partial(CountingHandler, directory=str(place.folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.counts = [0, 0]  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state = folder / "state"
    state.mkdir()
    upstream = Upstream(
        url=f"http://127.0.0.1:{server.server_port}",
        ring=Ring.ALL,
        root=place.folder / "metadata/1.root.json",
        folder=state / "update",
        timeout_s=60.0,
    )
    first, again = (visit(upstream, folder, server.counts) for _ in range(2))  # type: ignore[attr-defined]
    server.shutdown()
    (packed,) = (place.folder / "targets").glob("*.zip")
    return {
        "first": vars(first),
        "unchanged": vars(again),
        "bundle_bytes": packed.stat().st_size,
        **server_figures(place.folder, again),
    }


def visit(upstream: Upstream, folder: Path, counts: list[int]) -> Visit:
    """Ask what the ring offers, as `ewaste-edge update` does where it is in use already."""
    counts[:] = [0, 0]
    with visited(upstream) as repository:
        seconds, _ = timed(lambda: repository.offer(folder))
    return Visit(counts[0], counts[1], seconds)


def server_figures(folder: Path, visit: Visit) -> dict[str, Any]:
    """How many requests a second `python -m http.server` answers, of a file as long as usual."""
    usual = folder / "usual.json"
    usual.write_bytes(b" " * (visit.content_bytes // max(1, visit.requests)))
    port = free_port()
    words = ("-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder))
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await_server(port)
        counts = [0] * ASKERS
        ends_at = time.monotonic() + ASKING_S
        before = psutil.Process(process.pid).cpu_times()

        def ask(number: int) -> None:
            while time.monotonic() < ends_at:
                link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                link.request("GET", "/usual.json")
                link.getresponse().read()
                link.close()
                counts[number] += 1

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(ASKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = psutil.Process(process.pid).cpu_times()
        used_s = after.user + after.system - before.user - before.system
    finally:
        process.terminate()
        process.wait()
    return {
        "requests_per_s": sum(counts) / ASKING_S,
        "processor_ms_per_request": 1000 * used_s / max(1, sum(counts)),
    }


def on_paper(figures: dict[str, Any], boards: int) -> dict[str, Any]:
    """What so many boards ask of broker and repository, in proportion to what was measured."""
    factor, repository = boards / figures["boards"], figures["repository"]
    requests = repository["unchanged"]["requests"] * boards / HOUR_S
    grown_mb = figures["broker_mb"] - figures["broker_empty_mb"]
    return {
        "boards": boards,
        "broker_processor": boards * MESSAGES_PER_S * figures["broker_ms_per_message"] / 1000,
        "broker_mb": figures["broker_empty_mb"] + grown_mb * factor,
        "broker_connections": boards,
        "repository_requests_per_s": requests,
        "repository_load": requests / max(1e-9, repository["requests_per_s"]),
        "new_bundle_mbit_per_s": 8e-6 * repository["bundle_bytes"] * boards / HOUR_S,
    }


def in_words(figures: dict[str, Any]) -> list[str]:
    """The figures for people, line by line."""
    many, repository = figures["retained"], figures["repository"]
    first, again = repository["first"], repository["unchanged"]
    return [
        f"{figures['reported']} of {figures['boards']} boards in the table: "
        f"{figures['command_s']:.2f} s for the command, and {figures['command_processor_s']:.2f} s "
        f"of a core; {figures['listening_s']:.2f} s at the broker, {figures['table_s']:.2f} s for "
        f"the table; {figures['report_bytes']} bytes each",
        f"broker: {figures['messages_seen_per_s']:.0f} messages/s, "
        f"{figures['broker_ms_per_message']:.3f} ms of a core each, {figures['broker_mb']:.1f} MB "
        f"({figures['broker_empty_mb']:.1f} MB without boards), {figures['broker_files']:,} open "
        "files allowed",
        f"{many['received']:,} of {many['reports']:,} retained reports received in "
        f"{many['listening_s']:.2f} s, table in {many['table_processor_s']:.2f} s of a core; "
        f"broker {many['broker_mb']:.1f} MB",
        f"visit to the repository: first {first['requests']} requests, "
        f"{first['content_bytes']:,} bytes; unchanged {again['requests']} requests, "
        f"{again['content_bytes']:,} bytes, {again['seconds'] * 1000:.0f} ms",
        f"python -m http.server: {repository['requests_per_s']:.0f} requests/s, "
        f"{repository['processor_ms_per_request']:.2f} ms of a core each; packed bundle "
        f"{repository['bundle_bytes'] / 1e6:.1f} MB",
        f"{'boards':>6}  {'broker core':>11}  {'broker MB':>9}  {'requests/s':>10}  "
        f"{'server load':>11}  {'bundle Mbit/s':>13}",
        *(paper_row(row) for row in figures["on_paper"]),
    ]


def paper_row(row: dict[str, Any]) -> str:
    """A row of the table on paper."""
    return (
        f"{row['boards']:6,}  {row['broker_processor']:11.1%}  {row['broker_mb']:9.0f}  "
        f"{row['repository_requests_per_s']:10.2f}  {row['repository_load']:11.1%}  "
        f"{row['new_bundle_mbit_per_s']:13.1f}"
    )


def await_server(port: int) -> None:
    """Wait until something listens on a port of loopback.

    Raises:
        EwasteError: it does not within a minute.
    """
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise EwasteError(f"port {port}: nothing listens; try again on an idle machine")


def free_port() -> int:
    """A TCP port that nobody has on loopback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def timed(work: Any) -> tuple[float, Any]:
    """How long something took, s, and its result."""
    began = time.monotonic()
    found = work()
    return time.monotonic() - began, found


def processor_s(process: psutil.Process) -> float:
    """The processor time of the main thread of a process so far, s, to the nanosecond."""
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9


def children_s() -> float:
    """The processor time of the processes that were waited for, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident_mb(process: psutil.Process) -> float:
    """The memory of a process, MB."""
    return process.memory_info().rss / 1e6


if __name__ == "__main__":
    typer.run(main)
