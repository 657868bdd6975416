"""A line that is killed at random moments, on a belt that goes on.

    killed_line.py KILLS SEED FOLDER PLC_PORT

Each life of the line is a fork of this program. Time is that of the pictures, in memory that the
lives share, so that a busy machine changes nothing; a picture takes as long as it would, so that
the disk is as slow as it is beside a real belt. Prints one JSON object: what was acknowledged, what
lay on the belt, when each life began and ended, and what is in the store after the last one.
"""

import json
import math
import mmap
import os
import random
import signal
import sqlite3
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path

import pymodbus.client  # noqa: F401  (once, not in every life)

from edge.config import Config
from edge.conveyor import assemble
from edge.decision.voting import Voting
from edge.encoders.encoder import HEALTHY, EncoderHealth
from edge.gates.schedule import GateSchedule
from edge.inference.worker import InlineInference
from edge.outputs.wiring import Outputs
from edge.records.recall import RECORDS_COMPARED, Recall
from edge.records.store import Store
from edge.records.writer import StoreWriter
from edge.simulator.camera import SimulatedCamera
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.scene import Scene
from tests.support.colored_belt import BINS, GATES, GEOMETRY, RULES, ColorClassifier, belt_of

GAP_MM = 50.0
FPS = 20
BELT = [Stretch(1.5, 500), Stretch(0.7, 0), Stretch(0.4, -150)]


class SharedClock:
    """A virtual clock that outlives the process."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)
        self._memory[:] = struct.pack("d", 0.0)

    def now(self) -> float:
        return struct.unpack("d", self._memory[:])[0]

    def sleep(self, seconds: float) -> None:
        self._memory[:] = struct.pack("d", self.now() + max(0.0, seconds))


class Travelled:
    """The belt's way since a moment, as a pulse encoder counts it after power came on."""

    def __init__(self, belt: BeltMotion, since: float) -> None:
        self._belt, self.zero_mm = belt, belt.position_mm(since)

    def position_mm(self, at_seconds: float) -> float:
        return self._belt.position_mm(at_seconds) - self.zero_mm

    def health(self) -> EncoderHealth:
        return HEALTHY


def live(clock, scene, belt, path, *, plc_port, pipe) -> None:
    """One life of the line."""

    def acknowledge(what) -> None:
        os.write(pipe, json.dumps(what).encode() + b"\n")

    gates = [{"bin": gate.bin, "distance_mm": gate.distance_mm} for gate in GATES]
    wires = [{**gate, "coil": coil} for coil, gate in enumerate(gates)]
    config = Config(
        bins={bin_name: (label,) for label, bin_name in BINS.items()},
        gates=wires,
        modbus={"host": "127.0.0.1", "port": plc_port, "registers": 50},
    )
    outputs = Outputs(config)
    writer = StoreWriter(path)
    with Store(path, read_only=True) as store:
        recall = Recall(store.recent(RECORDS_COMPARED), time.time())
    encoder = Travelled(belt, clock.now())
    put: list = []

    def record(item) -> None:
        writer.put(item)
        put.append(item.item_id)

    def shown(step) -> None:
        written = writer.status.written
        for item_id in put[shown.written : written]:
            acknowledge({"item": item_id, "zero_mm": encoder.zero_mm})
        shown.written = written
        acknowledge({"frame": step.frame.sequence})
        time.sleep(max(0.0, shown.next_at - time.monotonic()))
        shown.next_at = time.monotonic() + 1 / FPS

    shown.written, shown.next_at = 0, time.monotonic()
    camera = SimulatedCamera(scene, belt, clock, FPS, scene.end_mm + 300)
    conveyor = assemble(
        camera=camera,
        encoder=encoder,
        clock=clock,
        geometry=GEOMETRY,
        inference=InlineInference(ColorClassifier()),
        rules=RULES,
        voting=Voting(views=2, spacing_mm=60),
        schedule=GateSchedule(GATES, lead_mm=40, max_open_s=3),
        gates=outputs.gates,
        bundle="digest",
        record=record,
        recall=recall,
    )

    acknowledge({"session": conveyor.session, "zero_mm": encoder.zero_mm})
    conveyor.run(on_step=shown)
    outputs.close()
    writer.close()


def main(kills: int, seed: int, folder: Path, plc_port: int) -> None:
    dice = random.Random(seed)
    labels = [dice.choice(list(BINS)) for _ in range(6 + kills)]
    placed = [replace(item, offset_mm=dice.uniform(-150, 150)) for item in belt_of(labels, GAP_MM)]
    scene = Scene(placed, GEOMETRY, seed=1)
    belt = BeltMotion([*(BELT * (2 + kills)), Stretch(1e9, 500)], repeated=False)
    clock = SharedClock()
    path = folder / "records.db"
    heard, lives, damaged = [], [], 0
    for life in range(kills + 1):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            live(clock, scene, belt, path, plc_port=plc_port, pipe=writing)
            os._exit(0)
        os.close(writing)
        began = time.monotonic()
        frames, last = 0, dice.randint(1, 25) if life < kills else math.inf
        with os.fdopen(reading, "rb") as pipe:
            for line in pipe:
                # A line that the kill cut in two was not received.
                heard += [json.loads(line)] if line.endswith(b"\n") else []
                frames += b"frame" in line
                if frames == last:
                    time.sleep(dice.uniform(0, 1 / FPS))
                    os.kill(child, signal.SIGKILL)
                    last = math.inf
        os.waitpid(child, 0)
        clock.sleep(dice.uniform(0, 0.3))  # the belt goes on while nobody looks
        lives.append((began, time.monotonic()))
        with sqlite3.connect(path) as database:
            damaged += database.execute("PRAGMA integrity_check").fetchone() != ("ok",)
    zeros = {line["session"]: line["zero_mm"] for line in heard if "session" in line}
    with Store(path, read_only=True) as store:
        kept = [
            (r.item_id, r.position_mm + zeros[r.item_id.split("-")[0]], r.offset_mm, r.label)
            for r in store.all()
        ]
    result = {
        "acknowledged": [line["item"] for line in heard if "item" in line],
        "placed": [(item.position_mm, item.offset_mm, item.label) for item in placed],
        "lives": lives,
        "damaged": damaged,
        "kept": kept,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
