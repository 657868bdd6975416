"""Reports of made-up boards."""

from edge.bundle.history import Standing
from edge.fleet.listening import HeardBoard
from edge.fleet.report import BoardReport, BundleInUse, LineState, NewestBundle
from edge.update.offer import Ring

NOW = 1_800_000_000.0
OLD, NEW = "a" * 64, "b" * 64
OLD_BUNDLE = BundleInUse(name="autumn", digest=OLD, created=NOW - 1e6)
NEW_BUNDLE = BundleInUse(name="november", digest=NEW, created=NOW - 1e5)


def newest(standing: Standing, why: str = "", digest: str = NEW) -> NewestBundle:
    return NewestBundle(name="november", digest=digest, standing=standing, why=why)


def report_of(name: str = "line-1", **changes: object) -> BoardReport:
    fields = {
        "board": name,
        "at": NOW - 20,
        "program": "0.1.0",
        "ring": Ring.CANARY,
        "state": LineState.RUNNING,
        "bundle": NEW_BUNDLE,
        "items": 1234,
        "by_hand": 407,
        "unknown": 100,
        "p99_ms": 126.0,
        "newest": newest(Standing.PASSED, "20 of 200 items unknown or by hand"),
    }
    return BoardReport.model_validate(fields | changes)


def heard_of(name: str = "line-1", *, offline: bool = False, **changes: object) -> HeardBoard:
    return HeardBoard(f"plant/{name}", report_of(name, **changes), offline)
