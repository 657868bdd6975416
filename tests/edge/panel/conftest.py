"""Bundles without a real model, and records, for the tests of the panel."""

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.bundle import Bundle, write_bundle
from edge.bundle.manifest import (
    CARD,
    GOLDEN,
    MODEL,
    Calibration,
    InputContract,
)
from edge.records.record import ItemRecord
from edge.verdict import Reason
from tests.support.bundles import plain_manifest, plain_verdict

CHROMIUM = Path("/usr/bin/chromium")
LABELS = ("Battery", "Mouse", "<b>odd</b> & so on")


def write_small_bundle(path: Path, name: str = "panel-test") -> Bundle:
    """A bundle that proves itself, but whose model no runtime can load."""
    manifest = plain_manifest(
        name=name,
        created=datetime(2026, 1, 2, tzinfo=timezone.utc),
        labels=LABELS,
        input=InputContract(size=32),
        parity=plain_verdict(
            images=300,
            agreement=0.9925,
            accuracy_float=0.95,
            accuracy_float_interval=(0.92, 0.97),
            accuracy_quantized=0.9475,
            accuracy_quantized_interval=(0.915, 0.968),
            accuracy_drop=0.0025,
            max_probability_difference=0.08,
            mean_probability_difference=0.004,
        ),
        training={},
        calibration=Calibration(images=100, seed=0),
    )
    return write_bundle(path, manifest, {MODEL: b"no model", GOLDEN: b"", CARD: b"# Card\n"})


def record_of(item_id: str, **changes) -> ItemRecord:
    values = {
        "item_id": item_id,
        "decided_at": 1_700_000_000.0,
        "label": "Mouse",
        "confidence": 0.934,
        "bin": "small",
        "reason": Reason.SORTED,
        "detail": "Mouse 93% over 3 views",
        "position_mm": 10.0,
        "offset_mm": 0.0,
        "views": 3,
        "detect_ms": 1.0,
        "classify_ms": 46.0,
        "verdict_ms": 60.0,
        "late": False,
        "bundle": "1f",
        "crop": b"",
    }
    return ItemRecord(**{**values, **changes})


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Bundle:
    return write_small_bundle(tmp_path_factory.mktemp("bundles") / "bundle")


@pytest.fixture(scope="session")
def make_bundle() -> Callable[..., Bundle]:
    return write_small_bundle


@pytest.fixture(scope="session")
def make_record() -> Callable[..., ItemRecord]:
    return record_of


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens the page in a browser runs whole programs."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("e2e")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; where it is missing, the test skips."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"no chromium at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()
