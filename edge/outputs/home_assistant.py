"""What makes Home Assistant show the line as a device, without any configuration there.

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
    """The retained messages, each a topic and its payload.

    Args:
        prefix: that Home Assistant listens to, by default `homeassistant`.
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
    counted = {"state_class": "total_increasing", "unit_of_measurement": "items"}
    speed = {"state_class": "measurement", "unit_of_measurement": "mm/s"}
    rate = {"state_class": "measurement", "unit_of_measurement": "1/s"}
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


def strays(prefix: str, node: str) -> set[str]:
    """The topics, with a wildcard, under which this line may have announced itself before."""
    return {f"{prefix}/sensor/{name}/+/config" for name in (identifier(node), slug(node))}


def is_of(node: str, payload: bytes) -> bool:
    """Whether a message of discovery is of this line, whatever else somebody has put there."""
    try:
        device = json.loads(payload)["device"]
        return device["manufacturer"] == MAKER and device["identifiers"] == [node]
    except (ValueError, TypeError, LookupError, RecursionError):
        return False


def bin_key(bin_name: str) -> str:
    """The end of a bin's identifier; no line's name before it makes it another's."""
    return f"bin_{identifier(bin_name, taken=FIXED, also='')}"


def identifier(name: str, taken: Sequence[str] = (), also: str = "_") -> str:
    """What stands for a name in topics and identifiers; different names get different ones.

    A plain name stands for itself; any other is spelled as far as it can be, and told apart by a
    digest of the whole of it.

    Args:
        name: any text.
        taken: what no name may become.
        also: what a plain name may have beside letters, digits and `-`.
    """
    plain = re.fullmatch(f"[A-Za-z0-9{also}-]{{1,64}}", name) and name not in taken
    if plain and not re.search("-[0-9a-f]{12}$", name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    spelled = slug(name)[:40]
    return f"{spelled if also else spelled.replace('_', '-')}-{digest}"


def slug(text: str) -> str:
    """Only what Home Assistant takes in the topics of discovery: letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _version() -> str:
    try:
        return version("ewaste-edge")
    except PackageNotFoundError:
        return "unknown"
