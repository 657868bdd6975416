"""The page of a line with something of everything on it."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edge.language import Language
from edge.panel.audits import BeginAsked, Desk, DrawAsked
from edge.records.entries import EntryKind, Given, add_entry
from edge.records.review import SAMPLE
from edge.records.store import ItemRecord, Store
from edge.status import Percentiles, Status, write_status
from edge.verdict import Reason
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
    ),
}
READY = (
    "#header .state",
    "#found table",
    "#review .answers",
    "#audit .purities",
    "#history figure",
    "#health .tile",
    "#picture .drop",
    "#model table",
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
        ),
    )


def full_panel(folder: Path, bundle: Path, make_record: Callable[..., ItemRecord]) -> Panel:
    """Serve a page with records, an audit, test pieces on their way, and an entry."""
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
        store.append([make_record("odd", decided_at=now - 900, **{**crop, **odd})])
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
    running(server.state)
    return server
