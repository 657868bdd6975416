"""What a killed training continues from: one file, whole or not there."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.files import write_whole

DIGEST_BYTES = 32


def save_checkpoint(path: Path, arrays: dict[str, list[np.ndarray]], state: dict) -> None:
    """Replace the checkpoint `path` by lists of arrays and a JSON-ready state.

    Raises:
        OSError: it cannot be written; the earlier one stays.
    """
    packed = io.BytesIO()
    named = {
        f"{name}/{place}": array
        for name, each in arrays.items()
        for place, array in enumerate(each)
    }
    named["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    np.savez(packed, **named)  # type: ignore[arg-type]
    content = packed.getvalue()
    write_whole(path, hashlib.sha256(content).digest() + content)


def load_checkpoint(path: Path) -> tuple[dict[str, list[np.ndarray]], dict] | None:
    """Read what `save_checkpoint` wrote; None where there is none yet.

    Raises:
        BadInput: the file is damaged.
    """
    if not path.exists():
        return None
    content = path.read_bytes()
    digest, packed = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(packed).digest() != digest:
        raise BadInput(f"{path}: damaged; remove it to start this phase of the training anew")
    with np.load(io.BytesIO(packed)) as stored:
        state = json.loads(stored["state"].tobytes())
        arrays: dict[str, list[np.ndarray]] = {}
        for name in stored.files:
            group, _, place = name.partition("/")
            if place:
                arrays.setdefault(group, []).append(stored[name])
    return arrays, state
