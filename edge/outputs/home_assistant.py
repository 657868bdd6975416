"""MQTT discovery: Home Assistant shows the line as a device without any configuration there.

The format is that of https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

ONLINE, OFFLINE = "online", "offline"
MAKER = "ewaste-edge"
FIXED = ("items", "unknown", "late", "speed", "fps", "message")
"""The sensors that every line has."""


def discovery(
    prefix: str, node: str, topic: str, bins: Sequence[str]
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the retained messages, each a topic and its payload.

    Args:
        prefix: the discovery prefix of Home Assistant, by default `homeassistant`.
        node: name of this line, unique at the broker.
        topic: under which the line publishes `state` and `availability`.
        bins: all of them.
    """
    device = {
        "identifiers": [node],
        "name": node,
        "manufacturer": MAKER,
        "model": "sorting line",
        "sw_version": _version(),
    }
    counted: dict[str, object] = {"state_class": "total_increasing", "unit_of_measurement": "items"}
    speed: dict[str, object] = {"state_class": "measurement", "unit_of_measurement": "mm/s"}
    rate: dict[str, object] = {"state_class": "measurement", "unit_of_measurement": "1/s"}
    sensors: list[tuple[str, str, str, dict[str, object]]] = [
        ("items", "Items", "value_json['items']", counted),
        ("unknown", "Unknown items", "value_json['unknown']", counted),
        ("late", "Late items", "value_json['late']", counted),
        *(
            (
                bin_key(bin_name),
                f"Bin {bin_name}",
                f"value_json['per_bin'][{bin_name!r}] | default(0)",
                counted,
            )
            for bin_name in bins
        ),
        (
            "speed",
            "Belt speed",
            "value_json['speed_mm_s']",
            speed,
        ),
        ("fps", "Frames", "value_json['fps']", rate),
        (
            "message",
            "Message",
            "(value_json['message'] or '')[:255]",
            {"entity_category": "diagnostic"},
        ),
    ]
    for key, name, value, more in sensors:
        unique = f"{identifier(node)}_{key}"
        yield (
            f"{prefix}/sensor/{identifier(node)}/{unique}/config",
            {
                "name": name,
                "unique_id": unique,
                "state_topic": f"{topic}/state",
                "value_template": "{{ " + value + " }}",
                "availability_topic": f"{topic}/availability",
                "payload_available": ONLINE,
                "payload_not_available": OFFLINE,
                "device": device,
                **more,
            },
        )


def stale_topics(prefix: str, node: str) -> set[str]:
    """Return the topic filters that match what this line may have announced earlier."""
    return {f"{prefix}/sensor/{name}/+/config" for name in (identifier(node), slug(node))}


def belongs_to(node: str, payload: bytes) -> bool:
    """Return whether a discovery message is of this line; any other content is not."""
    try:
        device = json.loads(payload)["device"]
        return device["manufacturer"] == MAKER and device["identifiers"] == [node]
    except (ValueError, TypeError, LookupError, RecursionError):
        return False


def bin_key(bin_name: str) -> str:
    """Return the last part of a bin's identifier; it is unique after any name of a line."""
    return f"bin_{identifier(bin_name, taken=FIXED, also='')}"


def identifier(name: str, taken: Sequence[str] = (), also: str = "_") -> str:
    """Return an identifier for a name, for use in topics; different names get different ones.

    A plain name is its own identifier. Any other keeps its allowed characters and gets a digest of
    the whole name.

    Args:
        name: any text.
        taken: identifiers that no name may get.
        also: what a plain name may contain besides letters, digits, and `-`.
    """
    plain = re.fullmatch(f"[A-Za-z0-9{also}-]{{1,64}}", name) and name not in taken
    if plain and not re.search("-[0-9a-f]{12}$", name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    spelled = slug(name)[:40]
    return f"{spelled if also else spelled.replace('_', '-')}-{digest}"


def slug(text: str) -> str:
    """Replace all but letters, digits, `_`, and `-`, which discovery topics do not allow."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _version() -> str:
    try:
        return version("ewaste-edge")
    except PackageNotFoundError:
        return "unknown"
