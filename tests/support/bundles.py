"""Bundles and manifests, made up, changed, and signed."""

import io
import json
import zipfile
from datetime import datetime, timezone
from pathlib import Path

from edge.bundle.bundle import sha256
from edge.bundle.manifest import (
    FILES,
    Calibration,
    InputContract,
    Manifest,
    ParityGate,
    ParityVerdict,
)
from edge.bundle.signature import public_key, read_key, sign


def reseal(path: Path, **changes: object) -> None:
    """Change the manifest and make the digests right again, as a careful forger would."""
    manifest = json.loads((path / "manifest.json").read_text())
    manifest.update(changes)
    manifest["files"] = {name: sha256((path / name).read_bytes()) for name in FILES}
    (path / "manifest.json").write_text(json.dumps(manifest))


def plain_verdict(**changes: object) -> ParityVerdict:
    fields = {
        "passed": True,
        "gate": ParityGate(),
        "datasets": {},
        "split": "test",
        "images": 3,
        "agreement": 1.0,
        "agreement_fp32": 1.0,
        "accuracy_float": 1.0,
        "accuracy_float_interval": (0.4, 1.0),
        "accuracy_quantized": 1.0,
        "accuracy_quantized_interval": (0.4, 1.0),
        "accuracy_drop": 0.0,
        "max_probability_difference": 0.0,
        "mean_probability_difference": 0.0,
    }
    return ParityVerdict(**(fields | changes))


def plain_manifest(**changes: object) -> Manifest:
    fields = {
        "name": "plain",
        "created": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "labels": ("Battery", "Mouse"),
        "hazards": ("Battery",),
        "input": InputContract(size=4),
        "parity": plain_verdict(),
        "training": {"accuracy": 1.0},
        "dataset": "0" * 64,
        "calibration": Calibration(images=1, seed=0),
        "versions": {},
    }
    return Manifest(**(fields | changes))


PLAIN_CONTENTS = {"model.tflite": b"model", "golden.npz": b"golden", "model_card.md": b"card"}


def sign_bundle(bundle: Path, key: Path) -> str:
    """Sign it, and tell the public key."""
    private = read_key(key)
    (bundle / "manifest.sig").write_bytes(sign(private, (bundle / "manifest.json").read_bytes()))
    return public_key(private)


def packed(bundle: Path, folder: str = "") -> bytes:
    """The files of a bundle as a zip archive, in a folder whose name ends in a slash."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(bundle.iterdir()):
            archive.write(path, folder + path.name)
    return content.getvalue()
