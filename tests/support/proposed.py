"""Proposals of what to learn, as `ewaste-edge learn` prepares them."""

from datetime import datetime, timezone
from pathlib import Path

from edge.learned.manifest import ADAPTER, CROPS, LearnedManifest
from edge.learned.proposal import Proposal, ProposalKind
from edge.learned.site import SiteCalibration
from edge.learned.store import digest_in_use
from tests.support.learned import taught

CREATED = datetime(2026, 1, 1, tzinfo=timezone.utc)


def recalibration(store: Path, base: str, items: int = 120, **changes: object) -> Proposal:
    """A recalibration beside what is in use."""
    site = SiteCalibration(
        temperature=1.5,
        thresholds={"Mouse": 0.5},
        hazard_thresholds={},
        unknown_threshold=None,
        items=items,
        since=1.0,
        until=2.0,
        before={"by_hand": 0.21, "cost": 31.0},
        after={"by_hand": 0.125, "cost": 19.0},
    )
    learned = LearnedManifest(base=base, base_name="plain", created=CREATED, calibration=site)
    fields = {
        "kind": ProposalKind.RECALIBRATION,
        "base": base,
        "parent": digest_in_use(store),
        "created": CREATED,
        "items": items,
        "before": site.before,
        "after": site.after,
        "learned": learned,
    }
    return Proposal.model_validate({**fields, **changes})


def refused_class(
    store: Path, base: str, label: str, items: int = 20, **changes: object
) -> Proposal:
    """A class that the guard refuses."""
    fields = {
        "kind": ProposalKind.NEW_CLASS,
        "label": label,
        "refused": "costs Battery 2.0 points",
        "learned": None,
        "before": {"recall Battery": 0.98},
        "after": {"recall": 0.95, "known_taken": 0.004, "recall Battery": 0.96},
    }
    return recalibration(store, base, items, **{**fields, **changes})


def new_class(
    store: Path, base: str, label: str, **changes: object
) -> tuple[Proposal, dict[str, bytes]]:
    """A class that may be accepted, and its files, which no model reads here."""
    made = taught(label, bin=None)
    learned = LearnedManifest(base=base, base_name="plain", created=CREATED, classes=(made,))
    fields = {
        "kind": ProposalKind.NEW_CLASS,
        "label": label,
        "learned": learned,
        "before": {},
        "after": {"recall": 0.95, "known_taken": 0.004},
    }
    proposal = recalibration(store, base, 20, **{**fields, **changes})
    return proposal, {ADAPTER: b"adapter", CROPS: b"crops"}
