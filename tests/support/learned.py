"""Generations of what a device has learned, made up: whole and signed, and of no use to a model."""

import hashlib
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from edge.learned.adapted import pack_rows
from edge.learned.crops import pack_crops
from edge.learned.manifest import (
    ADAPTER,
    CROPS,
    CropSource,
    LearnedManifest,
    TaughtClass,
    TaughtFigures,
)
from edge.learned.site import SiteCalibration
from edge.learned.store import LearnedStep, add_generation, digest_in_use

BASE = "a" * 64
MADE = datetime(2026, 1, 1, tzinfo=timezone.utc)
JPEGS = tuple(f"picture {number}".encode() for number in range(3))


def site(temperature: float) -> SiteCalibration:
    return SiteCalibration(
        temperature=temperature,
        thresholds={"PCB": 0.5},
        hazard_thresholds={},
        unknown_threshold=None,
        items=300,
        since=1.0,
        until=2.0,
        before={"ece": 0.1},
        after={"ece": 0.05},
    )


def taught(label: str, **changes: object) -> TaughtClass:
    sources = [
        CropSource(name=f"{n}.jpg", is_item=False, sha256=hashlib.sha256(jpeg).hexdigest())
        for n, jpeg in enumerate(JPEGS)
    ]
    fields = {
        "label": label,
        "bin": "boards",
        "hazard": False,
        "familiar": 0.5,
        "slope": 20.0,
        "offset": 1.0,
        "steepness": 9.0,
        "least": 0.5,
        "threshold": 0.5,
        "crops": tuple(sources),
        "figures": TaughtFigures(recall=0.9, known_taken=0.01, seconds=2.0),
        "by": "Ada",
        "taught_at": MADE,
    }
    return TaughtClass.model_validate({**fields, **changes})


def learned(*labels: str, temperature: float = 1.0, base: str = BASE) -> LearnedManifest:
    return LearnedManifest(
        base=base,
        base_name="plain",
        created=MADE,
        by="Ada",
        classes=tuple(map(taught, labels)),
        calibration=site(temperature),
    )


def contents_of(manifest: LearnedManifest) -> dict[str, bytes]:
    """The files that such a generation needs."""
    if not manifest.classes:
        return {}
    count = len(manifest.classes)
    row = np.eye(4, dtype=np.float32)[0]
    return {ADAPTER: pack_rows([row] * count), CROPS: pack_crops(JPEGS * count)}


def add_learned(store: Path, *labels: str, now: float = 1000.0, temperature: float = 1.0) -> str:
    """Put such a generation into use; returns its digest."""
    manifest = learned(*labels, temperature=temperature)
    step = LearnedStep("taught", "Ada", digest_in_use(store), now)
    return add_generation(store, manifest, contents_of(manifest), step).digest
