"""What makes Home Assistant show the line as a device, without any configuration there.

The format is that of https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

ONLINE, OFFLINE = "online", "offline"


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
        "manufacturer": "ewaste-edge",
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
            (f"bin {bin}", f"Bin {bin}", f"value_json['per_bin'][{bin!r}] | default(0)", counted)
            for bin in bins
        ),
        (
            "speed",
            "Belt speed",
            "value_json['speed_mm_s']",
            speed,
        ),
        ("fps", "Frames", "value_json['fps']", rate),
        ("message", "Message", "value_json['message'][:255]", {"entity_category": "diagnostic"}),
    ]
    for key, name, value, more in sensors:
        unique = slug(f"{node} {key}")
        yield (
            f"{prefix}/sensor/{slug(node)}/{unique}/config",
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


def slug(text: str) -> str:
    """Only what Home Assistant takes in the topics of discovery: letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _version() -> str:
    try:
        return version("ewaste-edge")
    except PackageNotFoundError:
        return "unknown"
