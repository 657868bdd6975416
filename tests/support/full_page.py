"""The page of a line with something of everything on it."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edge.alarms.alarm import Alarm, Alarms, acknowledge, shelve
from edge.alarms.catalog import AlarmName
from edge.alarms.kept import change_alarms
from edge.bundle.bundle import read_bundle
from edge.faults import FaultLog
from edge.language import Language
from edge.learned.proposals import accept, place_proposal
from edge.learned.store import LEARNED_NAME
from edge.panel.audits import BeginAsked, Desk, DrawAsked
from edge.records.entries import EntryKind, Given, add_entry
from edge.records.record import ItemRecord
from edge.records.review import SAMPLE
from edge.records.store import Store
from edge.status import BeltLook, OutputHealth, Percentiles, Status, write_status
from edge.verdict import Reason
from tests.support.proposed import new_class, recalibration, refused_class
from tests.support.served import Panel

DRAWN = cv2.imencode(".jpg", np.full((48, 64, 3), 120, np.uint8))[1].tobytes()
EVIL = '<img src=x onerror="window.hacked=1">\'&; {label} %(count)s'
TABS = {
    Language.ENGLISH: (
        "Line",
        "Items",
        "Review",
        "Quality",
        "History",
        "Health",
        "Try a picture",
        "Model",
        "Learning",
        "Belt",
    ),
    Language.GERMAN: (
        "Linie",
        "Teile",
        "Prüfung",
        "Qualität",
        "Verlauf",
        "Zustand",
        "Bild testen",
        "Modell",
        "Lernen",
        "Band",
    ),
    Language.SPANISH: (
        "Línea",
        "Objetos",
        "Revisión",
        "Calidad",
        "Historial",
        "Estado",
        "Probar una imagen",
        "Modelo",
        "Aprendizaje",
        "Cinta",
    ),
    Language.HINDI: (
        "लाइन",
        "वस्तुएँ",
        "समीक्षा",
        "गुणवत्ता",
        "इतिहास",
        "स्थिति",
        "चित्र जाँचें",
        "मॉडल",
        "सीखना",
        "बेल्ट",
    ),
}
READY = (
    "#header .state",
    "#found table",
    "#review .alike",
    "#audit .purities",
    "#history figure",
    "#faults table",
    "#picture .drop",
    "#model table",
    "#proposals .proposal",
    "#belt .one",
)
"""What is drawn when a tab is complete, in the order of the tabs."""


def running(state: Path) -> None:
    """Write a status as a line that runs does."""
    write_status(
        state,
        Status(
            updated_at=time.time(),
            state="running",
            camera="USB camera",
            items=12345,
            unknown=678,
            dropped_frames=3,
            per_label={"Battery": 1200, "Mouse": 11000, EVIL[:60]: 5},
            gates={"small": True, "hazardous": False, "manual": False},
            latency={"detect": Percentiles(p50=1.5, p99=2.75)},
            message="the model has failed 3 times",
            fps=29.7,
            frames=9_000,
            waiting_records=3,
            dropped_records=2,
            memory_bytes=212e6,
            encoder="the encoder is silent while the belt moves: check its cable; "
            "the camera measures the belt instead",
            outputs=(
                OutputHealth(name="PLC plc.example:502", connected=False, outages=1234),
                OutputHealth(name=f"MQTT {EVIL}", connected=True, dropped=7),
            ),
            look=BeltLook(red=96, green=98, blue=90, contrast=0.05, spots=0.001),
        ),
    )


def full_panel(folder: Path, bundle: Path, make_record: Callable[..., ItemRecord]) -> Panel:
    """Serve a page with records, an audit, test pieces, an entry, and something to learn."""
    server = Panel(folder, bundle)
    now = time.time()
    crop = {"crop": DRAWN, "top_label": "Mouse", "review": SAMPLE}
    with Store(server.path) as store:
        store.append(
            [
                make_record(f"i-{number}", decided_at=now - 4000 + number, **crop)
                for number in range(1300)
            ]
        )
        odd = {"label": EVIL[:90], "bin": "manual", "reason": Reason.UNSURE, "detail": EVIL}
        doubt = {**crop, **odd, "review": "unsure", "code": bytes(range(1, 65))}
        alike = [make_record(f"alike-{n}", decided_at=now - 950 + n, **doubt) for n in range(6)]
        store.append([*alike, make_record("odd", decided_at=now - 900, **doubt)])
    desk = Desk(
        server.state / "audits.db",
        server.path,
        lambda: (("Battery", "Mouse"), frozenset({"Battery"})),
        lambda: {"Mouse": "small"},
        "anna",
    )
    start = time.strftime("%Y-%m-%dT%H:%M", time.localtime(now - 7200))
    desk.draw(DrawAsked(start=start, count=5), now)
    desk.begin(BeginAsked(label="Battery", pieces=30), now)
    entry = Given(kind=EntryKind.IN, name="small", kg=1234.5, comment=EVIL)
    add_entry(server.state / "entries.db", entry, now - 100, "anna", now)
    _alarm(server.state, now)
    _learned(server.state, read_bundle(bundle).digest)
    running(server.state)
    return server


def _learned(state: Path, base: str) -> None:
    """Let one proposal be in use, one wait, and one be refused."""
    store = state / LEARNED_NAME
    number = place_proposal(store, recalibration(store, base), {})
    accept(store, number, base=base, by=EVIL[:60], now=time.time())
    shown = {"shown": ("i-7", "i-8", "gone")}
    place_proposal(store, recalibration(store, base, **shown), {})
    place_proposal(store, refused_class(store, base, EVIL[:40], **shown), {})
    place_proposal(store, *new_class(store, base, "Toy", **shown))


def _alarm(state: Path, now: float) -> None:
    """Let alarms stand in every way, with faults behind them."""
    raised = {
        AlarmName.OUTPUT_LOST: f"PLC plc.example:502, MQTT {EVIL}"[:200],
        AlarmName.DISK_NEARLY_FULL: "3.4%",
        AlarmName.DIRTY_LENS: "47%, 1.2%",
        AlarmName.MANY_MANUAL: "5.0% > 31.5%",
        AlarmName.CLASS_MIX: "Mouse: 10% > 30%",
    }
    alarms = {
        name: Alarm(active=True, latched=True, raised_at=now - 600, detail=detail)
        for name, detail in raised.items()
    }
    held = {
        AlarmName.BIN_IMPURE: Alarm(active=True),
        AlarmName.RECORDS_LOST: Alarm(suppressed=True),
    }

    def change(before: Alarms) -> Alarms:
        after = Alarms(at=now, alarms={**alarms, **held})
        after = acknowledge(after, [AlarmName.DISK_NEARLY_FULL], "the page", now - 60)
        return shelve(after, AlarmName.CLASS_MIX, 4 * 3600, "anna", now - 30)

    change_alarms(state, change)
    log = FaultLog(state, now - 900)
    log.see({"camera": "USB camera: the picture is black; check the light and the lens cap"}, now)
    log.see({"PLC plc.example:502": EVIL}, now + 1)
    log.end(now + 2)
    FaultLog(state, now + 3).end(now + 4)
