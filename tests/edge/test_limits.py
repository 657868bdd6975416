"""Whatever a configuration or a scenario holds, it is used or refused in one line."""

import json
import math
import random
import subprocess
import sys
import time
import typing
from collections.abc import Iterator
from pathlib import Path
from types import UnionType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from typer.testing import CliRunner

from edge.cli import app
from edge.config import Config, overruled, page_content, read_config, read_toml, readable_secrets
from edge.errors import BadInput
from edge.simulator.scenario import Scenario, changed, read_scenario

NO_NUMBERS = (math.inf, -math.inf, math.nan, 1e308, -1e308, 10**30, -(10**30), True)
MINIMAL = {
    Config: {
        "bins": {"a": ["PCB"]},
        "gates": [{"bin": "a", "distance_mm": 700}],
        "mqtt": {"host": "h"},
        "modbus": {"host": "h"},
        "sizes": {"PCB": {"median_mm": 100.0, "spread": 0.2}},
        "sensors": [{"name": "x", "topic": "x", "distance_mm": 200, "finds": "PCB"}],
    },
    Scenario: {"belt": [{"seconds": 60, "speed_mm_s": 250}]},
}
Keys = tuple[str | int, ...]


def numbers_of(schema: type[BaseModel], keys: Keys = ()) -> Iterator[tuple[Keys, int]]:
    """Where a schema holds numbers, and how many there are beside each other."""
    for name, field in schema.model_fields.items():
        yield from _numbers(field.annotation, (*keys, name))


def _numbers(kind: typing.Any, keys: Keys, beside: int = 1) -> Iterator[tuple[Keys, int]]:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind in (int, float):
        yield keys, beside
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from numbers_of(kind, keys)
    elif origin is typing.Annotated:
        yield from _numbers(inside[0], keys, beside)
    elif origin in (typing.Union, UnionType):
        for each in inside:
            yield from _numbers(each, keys, beside)
    elif origin is dict:
        yield from _numbers(inside[1], (*keys, "PCB"))
    elif origin is tuple:
        fixed = len(inside) if inside[-1] is not ... else 1
        yield from _numbers(inside[0], (*keys, 0), fixed)


def content_with(schema: type[BaseModel], keys: Keys, value: object, beside: int) -> dict:
    """A content that is right but for this value."""
    content = json.loads(json.dumps(MINIMAL[schema]))
    place: typing.Any = content
    for key, following in zip(keys, (*keys[1:], None), strict=True):
        if following is None and isinstance(key, str):
            place[key] = value
        elif following is None:
            place += [value] * beside
        elif isinstance(key, str):
            place = place.setdefault(key, [] if isinstance(following, int) else {})
        else:
            if not place:
                place.append([] if isinstance(following, int) else {})
            place = place[key]
    return content


@pytest.mark.parametrize("schema", [Config, Scenario])
def test_every_number_is_finite_and_bounded_and_the_message_names_its_range(
    schema: type[BaseModel], tmp_path: Path
) -> None:
    found = list(numbers_of(schema))
    assert len(found) >= (40 if schema is Config else 20)
    path = tmp_path / "file.json"
    for keys, beside in found:
        named = ".".join(str(key) for key in keys)
        for value in NO_NUMBERS:
            if keys[-1] == "unknown_threshold" and value == -math.inf:
                continue  # as it was documented before: the same as "off"
            path.write_text(json.dumps(content_with(schema, keys, value, beside)))
            with pytest.raises(BadInput) as caught:
                read_toml(path, schema)
            message = str(caught.value)
            assert message.startswith(f"{path}: {named}: "), message
            assert "must be " in message and " from " in message and " to " in message, message
            assert "\n" not in message and len(message) < 300


def test_the_message_is_the_documented_one(tmp_path: Path) -> None:
    path = tmp_path / "line.toml"
    path.write_text("[records]\nmegabytes = inf\n")
    with pytest.raises(BadInput) as caught:
        read_config(path)
    assert str(caught.value).endswith(
        "records.megabytes: inf; must be a number from 10 to 1,000,000"
    )


STRINGS = (
    "",
    "x" * 300,
    " a",
    "a\nb",
    "\x1b[31mred",
    "a\x00b",
    "\u202eabc",
    "../a",
    "/etc/passwd",
    "a\\b",
    ".",
)


@pytest.mark.parametrize("name", STRINGS)
def test_bins_are_named_in_a_few_printable_letters(name: str, tmp_path: Path) -> None:
    path = tmp_path / "line.json"
    path.write_text(
        json.dumps({"bins": {name: ["PCB"]}, "gates": [{"bin": name, "distance_mm": 700}]})
    )
    with pytest.raises(BadInput) as caught:
        read_config(path)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 400 and "bin" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"bins": {"Small": ["PCB"], "small": ["Mouse"]}}, "two bins differ only"),
        ({"bins": {"caf\u00e9": ["PCB"], "cafe\u0301": ["Mouse"]}}, "two bins differ only"),
        ({"bins": {"a": ["PCB", "pcb"]}}, "two labels differ only"),
        ({"bins": {"Manual": ["PCB"]}}, "manual is the end"),
        ({"bins": {f"b{n}": [] for n in range(51)}}, "at most 50"),
        ({"gates": [{"bin": "hazardous", "distance_mm": 700}]}, "see appliances"),
        ({"gate_travel_s": 3, "gate_open_s": 2}, "gate_travel_s must be less"),
        ({"belt": {"speed_mm_s": 5000}, "gate_travel_s": 2}, "mm ahead of an item"),
        ({"belt": {"mm_per_px": 0.05}, "camera": {"width": 160}}, "a view of 8 mm"),
        ({"modbus": {"host": "h", "registers": 65530}}, "the counts would end at"),
        ({"mqtt": {"host": "mqtt://user:s3cret@broker"}}, "mqtt.host: must be a name"),
        ({"mqtt": {"host": "h", "topic": "$SYS/a"}}, "mqtt.topic"),
        ({"update": {"repository": "https://user:s3cret@h/", "root": "r"}}, "repository: must be"),
        ({"update": {"repository": "ftp://h/", "root": "r"}}, "update.repository: must be https:"),
        ({"update": {"repository": "file://h/p", "root": "r"}}, "update.repository"),
        ({"update": {"repository": "http://[h/", "root": "r"}}, "update.repository"),
        ({"update": {"repository": "http://h:99999/", "root": "r"}}, "update.repository"),
        ({"update": {"repository": "http://h/?a=b", "root": "r"}}, "update.repository"),
        ({"update": {"repository": "https://h/"}}, "repository and root need each other"),
        ({"update": {"program": True}}, "program = true needs a repository"),
        ({"update": {"ring": "some"}}, "update.ring"),
        ({"mqtt": {"host": "h", "topic": "a\nb"}}, "mqtt.topic"),
        ({"mqtt": {"host": "h", "name": "x" * 300}}, "mqtt.name"),
        ({"camera": {"white_balance": [1.5]}}, "camera.white_balance"),
        ({"camera": {"white_balance": [1.5, 2, 3]}}, "camera.white_balance"),
        ({"camera": {"source": ""}}, "camera.source"),
        ({"classifier": {"threads": 10**9}}, "from 1 to 64"),
        ({"state": ""}, "state"),
        ({"state": "a\u0000b"}, "state"),
        ({"state": "\u001b[2J"}, "state"),
        ({"decision": {"unknown_threshold": "never"}}, '"off"'),
        ({"\u001b[31m\n" * 90: 1}, "Extra inputs"),
        ({f"k{n}": n for n in range(60_000)}, "k0"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(content, message: str, tmp_path: Path) -> None:
    path = tmp_path / "line.json"
    path.write_text(json.dumps(content))
    started = time.monotonic()
    with pytest.raises(BadInput) as caught:
        read_config(path)
    assert message in str(caught.value) and str(caught.value).isprintable()
    assert "s3cret" not in str(caught.value) and len(str(caught.value)) < 800
    assert time.monotonic() - started < 5


def test_an_address_in_brackets_is_one_without() -> None:
    assert Config.model_validate({"mqtt": {"host": "[::1]"}}).mqtt.host == "::1"


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 100_000,
        b"a = " + b"{a=" * 100_000,
        b"a." * 400_000 + b"a = 1",
        b"[" + b"a." * 400_000 + b"a]",
        b"a = " + b"1" * 900_000,
        b"[belt]\nspeed_mm_s = 0x" + b"f" * 900_000,
        b"[belt]\nspeed_mm_s = 1e" + b"9" * 900_000,
        b"# " + b"x" * 1_100_000,
        b"\xff\xfe[\x00",
        b"\xef\xbb\xbf" * 2,
        b"a = \x00",
    ],
)
def test_a_file_that_is_built_to_hurt_is_refused_within_seconds(
    content: bytes, tmp_path: Path
) -> None:
    for name in ("line.toml", "line.json"):
        (tmp_path / name).write_bytes(content)
        started = time.monotonic()
        with pytest.raises(BadInput) as caught:
            read_config(tmp_path / name)
        assert time.monotonic() - started < 5
        assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "line.toml").write_bytes(b"\xef\xbb\xbf[belt]\r\nspeed_mm_s = 300\r\n")
    assert read_config(tmp_path / "line.toml").belt.speed_mm_s == 300
    (tmp_path / "plant.toml").write_bytes(b"\xef\xbb\xbfitems = 3\r\n")
    assert read_scenario(str(tmp_path / "plant.toml")).items == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--port", "99999", "--camera", "0"], "--port: 99999; must be"),
        (["run", "--camera", ""], "--camera"),
        (["run", "--camera", "a\x00b"], "--camera"),
        (["run", "--camera", "0", "--state", "a\x1bb"], "--state: must be a path"),
        (["simulate", "--fps", "nan"], "fps"),
        (["simulate", "--items", str(10**30)], "must be a whole number from 0 to 1,000,000"),
        (["simulate", "\x00"], "SCENARIO"),
        (["simulate", ""], "SCENARIO"),
    ],
)
def test_what_the_command_line_overrules_is_checked_too(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, BadInput | SystemExit)
    output = str(result.exception) if isinstance(result.exception, BadInput) else result.output
    assert message in output


def test_what_overrules_keeps_the_rest_as_it_was_given() -> None:
    config = Config.model_validate({"belt": {"speed_mm_s": 300}, "camera": {"fps": 20}})
    other = overruled(config, {"camera.source": "film\udcff.mp4", "state": Path("st")}, {})
    assert other.camera.source == "film\udcff.mp4" and other.camera.fps == 20
    assert other.state == Path("st") and other.belt == config.belt
    assert "bins" not in other.model_fields_set
    with pytest.raises(BadInput, match="--bundle: must be a path"):
        overruled(config, {"classifier.bundle": Path("a\nb")}, {"classifier.bundle": "--bundle"})
    assert changed(read_scenario("stop-and-go"), {"items": 3}).belt == (
        read_scenario("stop-and-go").belt
    )


def test_the_page_gets_what_it_needs_and_no_secret(tmp_path: Path) -> None:
    config = Config.model_validate(
        {
            "camera": {"source": "rtsp://admin:s3cret@10.0.0.7/1?token=s3cret"},
            "mqtt": {"host": "h", "user": "s3cret", "password_file": "/s3cret"},
            "modbus": {"host": "s3cret"},
            "bins": {"a": ["PCB"]},
            "gates": [{"bin": "a", "distance_mm": 700, "coil": 3}],
            "decision": {"unknown_threshold": "off", "thresholds": {"PCB": 0.3}},
            "state": "st\udcff",
        }
    )
    path = tmp_path / "config.json"
    path.write_bytes(page_content(config))
    assert b"s3cret" not in path.read_bytes()
    page = read_config(path)
    assert page.bin_of == config.bin_of and page.decision == config.decision
    assert page.state == config.state and page.bundle == config.bundle
    path.write_bytes(page_content(Config()))
    assert "bins" not in read_config(path).model_fields_set


def test_files_with_a_password_that_others_can_read_are_reported(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("line.toml", "mqtt", "page")}
    for path in files.values():
        path.touch(0o644)
    config = Config.model_validate(
        {
            "camera": {"source": "rtsp://admin:s3cret@10.0.0.7/1"},
            "mqtt": {"host": "h", "user": "u", "password_file": str(files["mqtt"])},
            "panel": {"user": "u", "password_file": str(files["page"])},
        }
    )
    assert set(readable_secrets(config, files["line.toml"])) == set(files.values())
    assert readable_secrets(Config(), files["line.toml"]) == []
    for path in files.values():
        path.chmod(0o600)
    assert readable_secrets(config, files["line.toml"]) == []
    line = files["line.toml"]
    line.write_text(
        f'state = "{tmp_path}/state"\ncamera.source = "http://admin:s3cret@127.0.0.1:1/"\n'
        'classifier.bundle = "nowhere"\n'
    )
    line.chmod(0o644)
    command = [sys.executable, "-m", "edge.cli", "run", "--no-panel", "--config", str(line)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "s3cret" not in done.stderr
    assert done.stderr.count(f"{line}: others on this machine can read") == 1


SHIPPED = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[2] / "edge/simulator/scenarios").glob("*.toml"))
]
WHOLE = b"""
state = "st"
gate_open_s = 2.5
[camera]
source = "rtsp://10.0.0.7/1"
white_balance = [1.5, 2.0]
[belt]
speed_mm_s = 250
[decision]
thresholds = { PCB = 0.8 }
[bins]
hazardous = ["Battery"]
[[gates]]
bin = "hazardous"
distance_mm = 700
[mqtt]
host = "10.0.0.5"
topic = "plant/line-1"
[records]
days = 365
"""
PIECES = (b"=", b"[", b"]]", b'"', b"{", b"inf", b"nan", b"1e999", b"\n", b"\x00", b"\xff", b"-")


def test_changed_bytes_make_a_configuration_or_one_line(tmp_path: Path) -> None:
    chance, ends, tried = random.Random(16), time.monotonic() + 8, 0
    while time.monotonic() < ends and tried < 6000:
        schema = Config if tried % 2 else Scenario
        content = bytearray(WHOLE if schema is Config else chance.choice(SHIPPED))
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(content))
            how = chance.randrange(3)
            if how == 0:
                content[place] = chance.randrange(256)
            elif how == 1:
                content[place:place] = chance.choice(PIECES)
            else:
                del content[place : place + chance.randint(1, 20)]
        path = tmp_path / "file.toml"
        path.write_bytes(bytes(content))
        try:
            assert isinstance(read_toml(path, schema), schema)
        except BadInput as error:
            assert str(error).isprintable() and len(str(error)) < 900
        tried += 1
    assert tried > 500


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["PCB", "host", "bin", "fps"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([Config, Scenario]), st.data())
def test_made_up_values_make_a_configuration_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, schema: type[BaseModel], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "made-up.json"
    keys = st.sampled_from([*schema.model_fields, "strange"])
    content = data.draw(st.dictionaries(keys, VALUES, max_size=4))
    section = data.draw(st.sampled_from(sorted(schema.model_fields)))
    kind = schema.model_fields[section].annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        known = st.sampled_from(sorted(kind.model_fields))
        content[section] = data.draw(st.dictionaries(known, VALUES, max_size=4))
    path.write_text(json.dumps(content))
    try:
        assert isinstance(read_toml(path, schema), schema)
    except BadInput as error:
        assert str(error).isprintable() and len(str(error)) < 900
