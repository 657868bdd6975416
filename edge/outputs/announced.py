"""Which messages of a line its brokers retain, remembered so that they can be withdrawn.

A retained message stays until an empty one replaces it: the sensor of a bin that was renamed would
stay in Home Assistant forever.
"""

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from edge.errors import BadInput
from edge.files import PRIVATE, read_bounded, write_whole

ANNOUNCED = "announced.json"
MOST_BROKERS, MOST_TOPICS, LARGEST_FILE = 8, 1000, 2_000_000


def read_announced(path: Path, broker: str) -> frozenset[str] | None:
    """Return the topics with retained messages of this line; None: the broker is not known."""
    topics = _read(path).get(broker)
    return None if topics is None else frozenset(topics)


def write_announced(path: Path, broker: str, topics: Collection[str]) -> None:
    """Remember the topics at one broker; those at other brokers stay as they are.

    Raises:
        OSError: the file cannot be written.
    """
    others = {name: known for name, known in _read(path).items() if name != broker}
    kept = list(others.items())[-(MOST_BROKERS - 1) :]
    content = {**dict(kept), broker: sorted(topics)[:MOST_TOPICS]}
    write_whole(path, json.dumps(content, indent=2).encode() + b"\n", mode=PRIVATE)


def _read(path: Path) -> dict[str, list[str]]:
    """Return broker -> topics; what cannot be read counts as not known."""
    content = None
    with suppress(OSError, BadInput, ValueError, RecursionError):
        content = json.loads(read_bounded(path, LARGEST_FILE))
    if not isinstance(content, dict):
        return {}
    return {
        broker: [topic for topic in topics[:MOST_TOPICS] if may_be_published(topic)]
        for broker, topics in content.items()
        if isinstance(topics, list)
    }


def may_be_published(topic: object) -> bool:
    """Return whether MQTT allows this topic: no wildcard, no NUL, at most 65,535 bytes."""
    if not isinstance(topic, str) or not topic or set("#+\0") & set(topic):
        return False
    try:
        return len(topic.encode()) <= 65535
    except UnicodeEncodeError:
        return False
