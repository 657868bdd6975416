import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import BadInput
from edge.sensors.message import LARGEST_MESSAGE, SensorMessage, parsed

GOOD = {"sensor": "xray", "id": 17, "time": 1.796e9, "found": True, "certainty": 0.9}
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just([])


def sent(**changes) -> bytes:
    content = {**GOOD, **changes}
    return json.dumps({key: each for key, each in content.items() if each is not ...}).encode()


def test_a_message_says_where_what_and_how_sure():
    assert parsed(sent(), "xray") == SensorMessage(**GOOD)
    by_place = parsed(sent(time=..., belt_mm=1234.5, found=..., value=3.5), "xray")
    assert (by_place.belt_mm, by_place.value, by_place.found) == (1234.5, 3.5, None)
    assert parsed(b'{"sensor": "xray", "alive": true}', "xray").alive


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 900, "no JSON"),
        (b"17", "the file"),
        (sent(sensor="metal"), "of the sensor 'metal'"),
        (sent(id=...), "needs an id"),
        (sent(id=True), "id"),
        (sent(id=-1), "id"),
        (sent(found=...), "needs found or value"),
        (sent(found="yes"), "found"),
        (sent(found=1), "found"),
        (sent(belt_mm=3.0), "not both"),
        (sent(time="1796000000"), "time"),
        (sent(certainty=1.5), "certainty"),
        (sent(certainty=True), "certainty"),
        (sent(open="small"), "open"),
        (sent(note="x" * LARGEST_MESSAGE), "at most"),
        (b'{"sensor": "xray", "id": 1, "found": true, "found": false}', "a key twice"),
        (b'{"sensor": "xray", "id": 1, "found": true, "time": NaN}', "not a number"),
        (b'{"sensor": "xray", "id": 1, "found": true, "time": 1e999}', "time"),
        (b'{"sensor": "xray", "alive": true, "id": 1, "found": false}', "no other keys"),
    ],
)
def test_what_is_not_in_order_is_no_message(payload, reason):
    with pytest.raises(BadInput, match=reason):
        parsed(payload, "xray")


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=50)
    | st.dictionaries(st.sampled_from([*GOOD, "alive", "value"]), values, max_size=6)
    | st.dictionaries(st.sampled_from(["time", "value"]), values).map(lambda given: GOOD | given)
)
def test_whatever_comes_is_a_message_or_refused_in_one_line(content):
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    try:
        message = parsed(payload, "xray")
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 700
    else:
        assert message.sensor == "xray" and 0 <= message.certainty <= 1
        assert message.alive or (message.id is not None and message.id >= 0)
