"""What was announced under another name is withdrawn; names become topics that stay different."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from paho.mqtt import client as paho
from pydantic import ValidationError

from edge.config import MqttConfig
from edge.errors import BadInput
from edge.output_thread import OutputThread
from edge.outputs.announced import may_be_published, read_announced, write_announced
from edge.outputs.home_assistant import belongs_to, bin_key, discovery, identifier
from edge.outputs.mqtt import MqttLink, Outbox, valid_json
from edge.status import Status
from tests.support.servers import MOSQUITTO, accepts, free_port
from tests.support.waiting import wait_until


@pytest.fixture
def open_broker(tmp_path):
    """A broker that lets everybody in; its port."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    port = free_port()
    conf = tmp_path / "broker.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(conf)], stderr=subprocess.DEVNULL)
    wait_until(lambda: accepts(port))
    yield port
    process.kill()
    process.wait()


def retained(port: int) -> dict[str, bytes]:
    """All that the broker keeps."""
    found: dict[str, bytes] = {}
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda client, data, message: found.update({message.topic: message.payload})
    client.connect("127.0.0.1", port)
    client.subscribe("#")
    ends = time.monotonic() + 0.7
    while time.monotonic() < ends:
        client.loop(0.1)
    client.disconnect()
    return found


def run_once(port: int, bins: list[str], state: Path | None, **changes) -> None:
    """A line's output, up and down again."""
    config = MqttConfig(**{"host": "127.0.0.1", "port": port, "name": "line-1", **changes})
    outbox = Outbox(10)
    outbox.show(Status(updated_at=0, state="running"))
    announced = None if state is None else state / "announced.json"
    is_new = announced is None or not announced.exists()
    thread = OutputThread("MQTT", MqttLink(config, outbox, bins, announced), 1.0)
    wait_until(lambda: thread.status.connected)
    time.sleep(0.5 if is_new else 0.0)  # what the broker still has comes after that
    assert thread.close() and thread.status.outages == 0


def named(port: int) -> set[str]:
    """What Home Assistant would show, by the names of line and sensor."""
    shown = set()
    for topic, payload in retained(port).items():
        if topic.endswith("/config"):
            content = json.loads(payload)
            shown.add(f"{content['device']['name']}: {content['name']}")
    return shown


def bins_of(port: int) -> set[str]:
    return {name for name in named(port) if "Bin" in name}


def test_a_bin_that_is_renamed_or_removed_is_withdrawn(open_broker, tmp_path):
    run_once(open_broker, ["a/b", "gone", "manual"], tmp_path)
    run_once(open_broker, ["a b", "manual"], tmp_path)
    assert bins_of(open_broker) == {"line-1: Bin a b", "line-1: Bin manual"}


@pytest.mark.parametrize(
    "changes",
    [{"name": "line 2", "topic": "plant/2"}, {"discovery": None}],
)
def test_a_line_under_another_name_leaves_nothing_behind(open_broker, tmp_path, changes):
    run_once(open_broker, ["a"], tmp_path)
    before = set(retained(open_broker))
    run_once(open_broker, ["a"], tmp_path, **changes)
    after = set(retained(open_broker))
    assert not {topic for topic in before & after if topic.endswith("/config")}
    topic = changes.get("topic", "ewaste-edge")
    assert {name for name in after if not name.endswith("/config")} == {
        f"{topic}/state",
        f"{topic}/availability",
    }
    if changes == {"discovery": None}:
        assert not [topic for topic in after if topic.endswith("/config")]


def test_without_its_memory_it_asks_the_broker_and_leaves_other_lines_alone(open_broker, tmp_path):
    run_once(open_broker, ["old", "manual"], None)
    run_once(open_broker, ["theirs"], None, name="line-2", topic="other")
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", open_broker)
    foreign = {
        "homeassistant/sensor/line-1/foreign/config": b'{"device": {"identifiers": ["x"]}}',
        "homeassistant/sensor/line-1/broken/config": b"[" * 100_000,
        "homeassistant/sensor/line-1/bytes/config": b"\xff\x00",
    }
    for topic, payload in foreign.items():
        client.publish(topic, payload, 1, retain=True)
    ends = time.monotonic() + 0.5
    while time.monotonic() < ends:
        client.loop(0.1)
    run_once(open_broker, ["new", "manual"], tmp_path)
    found = retained(open_broker)
    assert set(foreign) <= set(found)
    shown = {
        json.loads(payload)["name"]
        for topic, payload in found.items()
        if "_bin_" in topic and topic.endswith("/config")
    }
    assert shown == {"Bin new", "Bin manual", "Bin theirs"}
    assert "homeassistant/sensor/line-1/line-1_bin_old/config" not in found
    # The next start knows it all by itself, and once withdrawn is withdrawn for good.
    topics = read_announced(tmp_path / "announced.json", f"127.0.0.1:{open_broker}")
    assert topics is not None and not any("old" in topic for topic in topics)


def test_a_broker_that_was_never_reached_is_asked_later(tmp_path):
    path = tmp_path / "announced.json"
    link = MqttLink(MqttConfig(host="127.0.0.1", port=free_port()), Outbox(1), ["a"], path)
    with pytest.raises(ConnectionRefusedError):
        link.connect()
    link.disconnect()
    assert not path.exists()


def test_hostile_names_at_a_real_broker(open_broker, tmp_path):
    names = ["a/b", "a+b", "a#b", "a b", "$SYS", "\u00fc", "x" * 300, "\x1b[31m", "{{ 1 }}", "a_b"]
    run_once(open_broker, [*names, "manual"], tmp_path, name="#/+ $SYS \u00e9")
    assert len(bins_of(open_broker)) == len(names) + 1
    run_once(open_broker, ["manual"], tmp_path, name="#/+ $SYS \u00e9")
    assert len(bins_of(open_broker)) == 1


NAMES = st.text(min_size=1, max_size=300) | st.text("aA_-/ 0", min_size=1, max_size=6)
TOPIC = re.compile("[A-Za-z0-9_-]+")


@settings(max_examples=150, deadline=None)
@given(NAMES, NAMES, NAMES, NAMES)
@example("a", "b_items", "a_bin", "b_items")
@example("a", "items", "a_bin", "x")
@example("a", "a b", "a", "a/b")
@example("a", "\ud800", "a", "\udcff")
def test_different_names_have_different_identifiers_in_topics_that_are_allowed(
    line, bin_name, other_line, other_bin
):
    assume((line, bin_name) != (other_line, other_bin))
    mine = [topic for topic, _ in discovery("ha", line, "t", [bin_name])]
    ids = [payload["unique_id"] for _, payload in discovery("ha", line, "t", [bin_name])]
    assert len(set(mine)) == len(mine) and len(set(ids)) == len(ids)
    theirs = {
        payload["unique_id"]: payload["name"]
        for _, payload in discovery("ha", other_line, "t", [other_bin])
    }
    if line != other_line:
        assert not set(ids) & set(theirs)
    else:
        assert bin_key(bin_name) != bin_key(other_bin)
    for topic, payload in discovery("ha", line, "t", [bin_name]):
        assert may_be_published(topic) and all(map(TOPIC.fullmatch, topic.split("/")))
        assert belongs_to(line, valid_json(payload).encode()) or "\ud800" <= min(line) <= "\udfff"


def test_plain_names_keep_the_identifiers_that_home_assistant_knows():
    found = {payload["unique_id"] for _, payload in discovery("ha", "line-1", "t", ["boards"])}
    assert {"line-1_bin_boards", "line-1_items", "line-1_speed"} <= found
    assert identifier("line_1") == "line_1"
    assert identifier(identifier("a b")) != identifier("a b")


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=40))
@example("it's")
@example('"}} {% for')
@example("\\x41")
def test_a_template_reads_the_count_of_its_own_bin(bin_name):
    jinja2 = pytest.importorskip("jinja2")
    state = {"per_bin": {bin_name: 7}}
    for topic, payload in discovery("ha", "n", "t", [bin_name]):
        if "_bin_" in topic:
            text = jinja2.Template(payload["value_template"]).render(value_json=state)
            assert text == "7"


@given(
    st.recursive(
        st.floats() | st.text() | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
@example({"a": float("nan"), "b\ud800": "\udcff"})
def test_payloads_are_json_for_every_reader(content):
    def strict(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(valid_json(content).encode("ascii").decode(), parse_constant=strict)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"[1]",
        b'{"b": 3, "c": [1, "a/#", "", null, "ok"]}',
        b"\xff",
        b"x" * 3_000_000,
    ],
)
def test_a_memory_that_is_damaged_is_no_reason_to_stop(tmp_path, content):
    path = tmp_path / "announced.json"
    path.write_bytes(content)
    assert read_announced(path, "b") is None
    assert read_announced(path, "c") in (None, frozenset({"ok"}))
    for number in range(20):
        write_announced(path, f"broker-{number}", ["a", "b"])
    assert read_announced(path, "broker-19") == {"a", "b"}
    assert read_announced(path, "broker-0") is None, "only the last few are kept"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_pipe_for_a_password_or_certificate_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for changes in (
        {"user": "u", "password_file": tmp_path / "pipe"},
        {"user": "u", "password_file": tmp_path},
        {"tls": True, "ca_file": tmp_path / "pipe"},
        {"tls": True, "ca_file": Path("/dev/zero")},
    ):
        started = time.monotonic()
        with pytest.raises(BadInput, match=r"can be read"):
            MqttLink(MqttConfig(host="h", **changes), Outbox(1), [])
        assert time.monotonic() - started < 1


def test_names_of_lines_that_brokers_refuse_are_refused_at_the_start():
    for name in ("", "x" * 65, "a\x00b", "a\nb"):
        with pytest.raises(ValidationError, match="name"):
            MqttConfig(host="h", name=name)
    assert shutil.which("mosquitto") is None or MqttConfig(host="h", name="#/+ $SYS")
