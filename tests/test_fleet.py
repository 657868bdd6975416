"""A fleet of three boards in two rings, each in a network namespace of its own.

A real broker and a web server with a real repository stand at the hub. Each board is a real line on
a simulated belt, which pulls its bundles with `ewaste-edge update`.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("tuf")

from edge.bundle.install import CURRENT
from edge.status import read_status
from tests.support.bundles import reseal
from tests.support.network import HUB, Network, why_not
from tests.support.servers import MOSQUITTO
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests/data/tiny-bundle"
RINGS = {"line-1": "canary", "line-2": "all", "line-3": "all"}
MQTT_PORT, WEB_PORT = 1883, 8080
PLAIN = {"hazards": [], "hazard_thresholds": {}, "thresholds": {}}
ITEMS_PER_S = {"canary": 12.0, "all": 2.0}
REASON = why_not() or ("" if MOSQUITTO else "mosquitto is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(bool(REASON), reason=REASON),
]


class Fleet:
    """The boards, and what stands at the hub."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.network = folder, Network(list(RINGS))
        self.running: list[subprocess.Popen] = []

    def run(self, host: str, *command: object, code: int = 0) -> subprocess.CompletedProcess:
        """Run a command of the project at a host until it ends."""
        words = self.network.within(host, [sys.executable, *command])
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=300)
        assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
        return done

    def start(self, host: str, *command: object) -> None:
        log = (self.folder / f"{host}-{len(self.running)}.log").open("wb")
        words = self.network.within(host, command)
        self.running.append(subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT))

    def close(self) -> None:
        for process in self.running[::-1]:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.network.close()

    def publish(self, *options: object, code: int = 0) -> subprocess.CompletedProcess:
        places = ("--out", self.folder / "repository", "--keys", self.folder / "keys")
        return self.run("hub", ROOT / "convert/publish.py", *places, *options, code=code)

    def promote_when_passed(self, code: int) -> str:
        options = ("--promote", "--when-passed", "--broker", HUB, "--topic", "plant/+")
        done = self.publish(*options, code=code)
        return done.stdout + done.stderr

    def bundle(self, name: str, created: str, threshold: float) -> Path:
        made = Path(shutil.copytree(TINY, self.folder / name))
        reseal(made, name=name, created=created, threshold=threshold, **PLAIN)
        return made

    def config(self, board: str) -> Path:
        path = self.folder / board / "line.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f'state = "{path.parent}/state"\n'
            "camera = {fps = 5.0, width = 640, height = 360}\nbelt.mm_per_px = 1.25\n"
            "classifier.threads = 1\n"
            f'[update]\nrepository = "http://{HUB}:{WEB_PORT}"\nring = "{RINGS[board]}"\n'
            f'root = "{self.folder}/root.json"\nwindow = "always"\nprobation_items = 50\n'
            f'[mqtt]\nhost = "{HUB}"\nname = "{board}"\ntopic = "plant/{board}"\n'
            'discovery = "off"\n'
        )
        return path

    def update(self, board: str, code: int = 0) -> str:
        done = self.run(
            board, "-m", "edge.cli", "update", "--config", self.config(board), code=code
        )
        return done.stdout + done.stderr

    def installed(self, board: str) -> str:
        """The name of the bundle in use."""
        manifest = self.folder / board / "state/bundles" / CURRENT / "manifest.json"
        return json.loads(manifest.read_text())["name"]

    def items(self, board: str) -> int:
        """How many items a line has counted."""
        status = read_status(self.folder / board / "state")
        return 0 if status is None else status.items

    def table(self) -> dict[str, dict]:
        """What `ewaste-edge fleet` says of each board."""
        options = ("--broker", HUB, "--topic", "plant/+", "--json")
        done = self.run("hub", "-m", "edge.cli", "fleet", *options)
        return {each["board"]: each for each in json.loads(done.stdout)["boards"]}

    def wait_for(self, what: str, condition, seconds: float = 400) -> dict[str, dict]:
        ends, table = time.monotonic() + seconds, {}
        while time.monotonic() < ends:
            table = self.table()
            if condition(table):
                return table
            time.sleep(3)
        logs = "\n".join(path.read_text()[-1500:] for path in self.folder.glob("*.log"))
        raise AssertionError(f"{what}: not in time\n{json.dumps(table, indent=1)}\n{logs}")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Three boards that run the bundle `autumn`, which the repository offers to both rings."""
    made = Fleet(tmp_path)
    try:
        conf = tmp_path / "broker.conf"
        conf.write_text(f"listener {MQTT_PORT} {HUB}\nallow_anonymous true\npersistence false\n")
        made.start("hub", MOSQUITTO, "-c", conf)
        served = ("-m", "http.server", WEB_PORT, "--bind", HUB, "--directory")
        (tmp_path / "repository").mkdir()
        made.start("hub", sys.executable, *served, tmp_path / "repository")
        made.publish("--bundle", made.bundle("autumn", "2026-10-02T08:00:00Z", 0.0))
        made.publish("--promote")
        shutil.copyfile(tmp_path / "repository/metadata/1.root.json", tmp_path / "root.json")
        for board, ring in RINGS.items():
            assert "autumn, in use" in made.update(board)
            program = ROOT / "tests/support/fleet_board.py"
            made.start(board, sys.executable, program, made.config(board), ITEMS_PER_S[ring])
        yield made
    finally:
        made.close()


def runs(table: dict[str, dict], board: str, name: str, standing: str) -> bool:
    """Whether a board decides by a bundle, and where its newest one stands."""
    each = table.get(board, {})
    in_use, newest = each.get("bundle") or {}, each.get("newest") or {}
    return in_use.get("name") == name and newest.get("standing") == standing


def test_a_bad_bundle_stops_at_the_canary_and_a_good_one_goes_through(fleet: Fleet) -> None:
    table = fleet.wait_for(
        "three boards sort",
        lambda table: (
            len(table) == 3 and all(runs(table, board, "autumn", "unwatched") for board in RINGS)
        ),
    )
    assert {board: each["ring"] for board, each in table.items()} == RINGS
    assert all(each["health"] == "running" for each in table.values()), table
    assert "not watched: it has no bundle before it" in fleet.promote_when_passed(3)
    wait_until(lambda: fleet.items("line-1") >= 60, 300)  # to compare with

    fleet.publish("--bundle", fleet.bundle("bad", "2026-11-01T08:00:00Z", 1.0))
    assert "bad, in use" in fleet.update("line-1")
    for board in ("line-2", "line-3"):
        assert "autumn, in use already" in fleet.update(board)
    table = fleet.wait_for(
        "the bad bundle is rolled back",
        lambda table: runs(table, "line-1", "autumn", "rolled_back"),
    )
    assert table["line-1"]["health"] == "rolled back"
    assert table["line-1"]["reason"].startswith("bad: items unknown or by hand: 100.0% over 2")
    assert all(table[board]["health"] == "running" for board in ("line-2", "line-3"))
    refusal = fleet.promote_when_passed(3)
    assert refusal.count("\n") == 1, refusal
    assert "bad, digest" in refusal and "not promoted, 0 of 1 canary boards passed" in refusal
    assert "line-1: rolled back (items unknown or by hand: 100.0%" in refusal
    for board in RINGS:
        answer = fleet.update(board, code=3 if board == "line-1" else 0)
        assert fleet.installed(board) == "autumn", answer
    refused = fleet.wait_for("the refusal is reported", lambda t: t["line-1"]["refused"])
    assert "was in use here and was left" in refused["line-1"]["refused"]["why"]
    shown = fleet.run("hub", "-m", "edge.cli", "fleet", "--broker", HUB, "--topic", "plant/+")
    print(shown.stdout)
    print(refusal)

    fleet.publish("--bundle", fleet.bundle("november", "2026-11-20T08:00:00Z", 0.0))
    assert "november, in use" in fleet.update("line-1")
    fleet.wait_for(
        "the canary tries it",
        lambda table: (table["line-1"]["newest"] or {}).get("name") == "november",
    )
    fleet.wait_for(
        "the good bundle passes", lambda table: runs(table, "line-1", "november", "passed")
    )
    promoted = fleet.promote_when_passed(0)
    assert "line-1: passed (" in promoted and "ring all: november" in promoted
    print(promoted)
    for board in ("line-2", "line-3"):
        assert "november, in use" in fleet.update(board)
    fleet.wait_for(
        "all run it",
        lambda table: all(table[board]["bundle"]["name"] == "november" for board in RINGS),
    )
    fleet.close()  # and nobody left a trace of the bad one
    for board in ("line-2", "line-3"):
        history = (fleet.folder / board / "state/bundles/history.json").read_text()
        names = [each["name"] for each in json.loads(history)["entries"]]
        assert names == ["autumn", "november"]
