"""One message of a sensor: strict, small JSON, of which nothing is believed that is not in order.

```json
{"sensor": "xray", "id": 17, "time": 1796032800.25, "found": true, "certainty": 0.9}
```

`id` is a number that the sensor counts up. Where the item was is `time` (Unix seconds), `belt_mm`
(reading of the encoder), or neither: then it is the moment of arrival, less the usual delay. What
it found is `found`, or a `value` that is compared with the limit in the configuration. A sensor
that has nothing to report sends `{"sensor": "xray", "alive": true}`.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import BadInput, first_problem, one_line

LARGEST_MESSAGE = 1000
"""Bytes; a message has about a hundred."""
MOST_ID = 2**53
MOST_VALUE = 1e9
LATEST_TIME = 1e11
"""Unix seconds."""
Certainty = Annotated[float, Field(ge=0, le=1)]


class SensorMessage(BaseModel):
    """What a sensor sent.

    Attributes:
        sensor: its name.
        alive: it only gives a sign of life.
        id: number of the message.
        time: when the item was at the sensor, Unix seconds; None: not stated.
        belt_mm: where the belt was then, mm; None: not stated.
        found: whether it found something; None: `value` says so.
        value: what it measured; None: nothing.
        certainty: how sure it is, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    sensor: str = Field(max_length=100)
    alive: bool = False
    id: Annotated[int, Field(ge=0, le=MOST_ID)] | None = None
    time: Annotated[float, Field(ge=0, le=LATEST_TIME)] | None = None
    belt_mm: Annotated[float, Field(ge=-1e12, le=1e12)] | None = None
    found: bool | None = None
    value: Annotated[float, Field(ge=-MOST_VALUE, le=MOST_VALUE)] | None = None
    certainty: Certainty = 1.0

    @model_validator(mode="after")
    def _check(self) -> "SensorMessage":
        if self.alive:
            if self.model_fields_set - {"sensor", "alive"}:
                raise ValueError("a sign of life has no other keys")
        elif self.id is None:
            raise ValueError("needs an id")
        elif self.found is None and self.value is None:
            raise ValueError("needs found or value")
        if self.time is not None and self.belt_mm is not None:
            raise ValueError("has a time or a belt_mm, not both")
        return self


def parsed(payload: bytes, sensor: str) -> SensorMessage:
    """Read a message.

    Args:
        payload: as it came, of any kind.
        sensor: the name of the sensor that it must be of.

    Raises:
        BadInput: it is not a message of this sensor; in a few words, why.
    """
    if len(payload) > LARGEST_MESSAGE:
        raise BadInput(f"{len(payload):,} bytes; a message has {LARGEST_MESSAGE:,} at most")
    try:
        content = json.loads(
            payload.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number
        )
        message = SensorMessage.model_validate(content)
    except ValidationError as error:
        raise BadInput(first_problem(error)) from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise BadInput(f"no JSON ({one_line(str(error), 80)})") from None
    if message.sensor != sensor:
        raise BadInput(f"of the sensor {one_line(message.sensor, 40)!r}")
    return message


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key twice")
    return content


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")
