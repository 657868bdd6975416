"""The reports at a real broker with TLS and passwords, among others that mean no good."""

import json
import time
from pathlib import Path

import pytest
from paho.mqtt import client as paho

from edge.config import Config, MqttConfig
from edge.errors import BadInput, EwasteError
from edge.fleet.listening import FleetPlace, fleet_place, listen
from edge.fleet.own import OwnReports
from edge.output_thread import OutputThread
from edge.outputs.mqtt import MqttLink, Outbox
from edge.status import Status
from tests.support.fleet import report_of
from tests.support.servers import Broker, mqtt_config
from tests.support.waiting import wait_until


def retain(broker: Broker, messages: dict[str, bytes]) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.username_pw_set("observer", broker.password)
    client.tls_set(str(broker.folder / "ca.pem"))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for topic, payload in messages.items():
        client.publish(topic, payload, 1, retain=True).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


def test_it_reads_what_is_retained_whatever_else_is(broker: Broker) -> None:
    good = report_of("line-2").model_dump_json().encode()
    retain(
        broker,
        {
            "plant/line-2/board": good,
            "plant/line-2/availability": b"offline",
            "plant/line-3/board": b"\x00" * 200_000,
            "plant/line-4/board": b'{"board": "\x1b[2J"}',
            "plant/a/b/board": good,
            "plant/line-5/availability": b"online",
            f"plant/{'x' * 1000}/board": good,
        },
    )
    began = time.monotonic()
    found = listen(FleetPlace(mqtt_config(broker), "plant/+"))
    assert time.monotonic() - began < 3
    assert [board.topic for board in found] == ["plant/line-2", "plant/line-3", "plant/line-4"]
    assert found[0].report == report_of("line-2") and found[0].offline
    assert found[1].report is None and "200,000 bytes" in found[1].problem
    assert found[2].problem and "\x1b" not in found[2].problem
    assert listen(FleetPlace(mqtt_config(broker), "elsewhere/+")) == ()


def test_a_line_reports_its_board_also_that_it_has_stopped(broker: Broker, tmp_path: Path) -> None:
    mqtt = mqtt_config(broker)
    config = Config.model_validate({"state": tmp_path / "state", "mqtt": mqtt.model_dump()})
    outbox = Outbox(10)
    outbox.show(Status(updated_at=time.time(), state="running", items=7, digest="a" * 64))
    thread = OutputThread("MQTT", MqttLink(mqtt, outbox, ["manual"], None, OwnReports(config)), 1.0)
    place = FleetPlace(mqtt, "plant/+")
    wait_until(lambda: listen(place, 0.1))
    (board,) = listen(place, 0.1)
    assert board.report is not None and board.report.board == "line-1"
    assert board.report.state.value == "running" and board.report.items == 7 and not board.offline
    assert thread.close()
    (board,) = listen(place, 0.1)
    assert board.report is not None and board.report.state.value == "stopped"


def test_a_broker_that_refuses_or_is_not_there_is_one_line(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong\n")
    for changes, reason in (
        ({"password_file": tmp_path / "wrong"}, "refuses the connection"),
        ({"tls": False, "ca_file": None}, "(does not answer|connection was lost)"),
        ({"port": 1}, "does not answer"),
        ({"host": "no.such.host.invalid"}, "does not answer"),
    ):
        with pytest.raises(EwasteError, match=reason) as caught:
            listen(FleetPlace(mqtt_config(broker, **changes), "plant/+"))
        assert "\n" not in str(caught.value)


def test_where_to_listen() -> None:
    mqtt = MqttConfig(host="a", topic="plant/hall/line-1", user="me")
    assert fleet_place(mqtt, None, None).pattern == "plant/hall/+"
    other = fleet_place(mqtt, "b:99", "x/+/y")
    assert (other.mqtt.host, other.mqtt.tcp_port, other.pattern) == ("b", 99, "x/+/y")
    assert other.mqtt.user == "me"
    assert fleet_place(None, "[::1]:1884", None).mqtt.tcp_port == 1884
    assert fleet_place(None, "[::1]", None) == fleet_place(None, "[::1]", "+")
    for broker, topic in (
        (None, None),
        ("b:x", None),
        ("b:99999", None),
        ("mqtt://b", None),
        ("b", "plant/#"),
        ("b", "plant/line+"),
        ("b", ""),
        ("b", "a\nb"),
    ):
        with pytest.raises(BadInput) as caught:
            fleet_place(None, broker, topic)
        assert "\n" not in str(caught.value)
    assert json.dumps(str(caught.value))
