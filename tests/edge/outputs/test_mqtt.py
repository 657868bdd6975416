"""Against a real broker with TLS and passwords."""

import json
import os
import signal
import time
from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt import client as paho

from edge.config import MqttConfig
from edge.errors import BadInput
from edge.output_thread import OutputThread
from edge.outputs.home_assistant import discovery
from edge.outputs.mqtt import MqttLink, Outbox
from edge.status import Status
from tests.support.records import RECORD
from tests.support.servers import mqtt_config
from tests.support.waiting import wait_until

STATUS = Status(
    updated_at=0, state="running", items=7, per_bin={"boards": 3}, gates={"boards": True}
)


def config_of(broker, **changes) -> MqttConfig:
    return mqtt_config(broker, **{"state_every_s": 0.2, "keepalive_s": 1, "queue": 50, **changes})


def output_of(config: MqttConfig) -> tuple[OutputThread, Outbox]:
    outbox = Outbox(config.queue)
    link = MqttLink(config, outbox, ["boards", "manual"])
    return OutputThread("MQTT", link, 1.0), outbox


def item(number: int):
    return replace(RECORD, item_id=f"i{number}")


class Observer:
    """Somebody else at the broker; also comes back by itself when the broker does."""

    def __init__(self, broker) -> None:
        self.retained: dict[str, str] = {}
        self.messages: list[tuple[str, str]] = []
        # A session that lasts: the broker keeps for it what comes before it is back.
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="observer", clean_session=False
        )
        self.client.username_pw_set("observer", broker.password)
        self.client.tls_set(str(broker.folder / "ca.pem"))
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *more: client.subscribe("#", 1)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def _on_message(self, client, data, message) -> None:
        if message.retain:
            self.retained[message.topic] = message.payload.decode()
        self.messages.append((message.topic, message.payload.decode()))

    def last(self, topic: str) -> str | None:
        heard = [payload for at, payload in list(self.messages) if at == topic]
        return heard[-1] if heard else None

    def items(self) -> list[str]:
        topic = "plant/line-1/items"
        return [json.loads(text)["item_id"] for at, text in list(self.messages) if at == topic]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def observer(broker):
    observer = Observer(broker)
    yield observer
    observer.close()


def test_items_state_and_availability_reach_the_broker(broker, observer, logged):
    thread, outbox = output_of(config_of(broker))
    outbox.show(STATUS)
    outbox.put(item(1))
    wait_until(lambda: observer.items() == ["i1"])
    wait_until(lambda: observer.last("plant/line-1/state"))
    assert json.loads(observer.last("plant/line-1/state"))["items"] == 7
    assert observer.last("plant/line-1/availability") == "online"
    message = json.loads(observer.last("plant/line-1/items"))
    assert message["label"] == RECORD.label and "crop" not in message
    outbox.put(item(2))
    assert thread.close() and logged == []
    wait_until(lambda: observer.last("plant/line-1/availability") == "offline")
    assert observer.items() == ["i1", "i2"]
    last = json.loads(observer.last("plant/line-1/state"))
    assert last["state"] == "stopped" and last["gates"] == {"boards": False}
    observer.close()
    late = Observer(broker)
    wait_until(lambda: "plant/line-1/state" in late.retained)
    assert late.retained["plant/line-1/availability"] == "offline"
    late.close()


def test_home_assistant_finds_every_sensor_and_its_value(broker, observer):
    thread, _ = output_of(config_of(broker))
    prefix = "homeassistant/sensor/line-1/"
    expected = list(discovery("homeassistant", "line-1", "plant/line-1", ["boards", "manual"]))
    wait_until(lambda: len({t for t, _ in list(observer.messages) if t[:20] == prefix[:20]}) >= 8)
    assert len({payload["unique_id"] for _, payload in expected}) == len(expected) == 8
    for topic, payload in expected:
        assert topic.startswith(prefix) and topic.endswith("/config")
        assert json.loads(observer.last(topic)) == payload
        assert payload["availability_topic"] == "plant/line-1/availability"
        assert payload["device"]["identifiers"] == ["line-1"]
    thread.close()


def test_the_value_templates_read_the_state():
    jinja2 = pytest.importorskip("jinja2")
    state = json.loads(STATUS.model_dump_json())
    values = {
        payload["name"]: jinja2.Template(payload["value_template"]).render(value_json=state)
        for _, payload in discovery("homeassistant", "n", "t", ["boards", "it's", "manual"])
    }
    assert values["Items"] == "7" and values["Bin boards"] == "3" and values["Bin it's"] == "0"


def test_a_broker_that_dies_and_comes_back_gets_all_items_that_fit_the_queue(
    broker, observer, injected, logged
):
    thread, outbox = output_of(config_of(broker))
    outbox.show(STATUS)
    for number in range(20):
        outbox.put(item(number))
    wait_until(lambda: thread.status.sent == 20)
    broker.kill()
    lost_s = wait_until(lambda: not thread.status.connected)
    took = []
    for number in range(20, 90):
        started = time.perf_counter()
        outbox.put(item(number))
        took.append(time.perf_counter() - started)
    assert median(took) < 0.005, "the line does not wait"
    time.sleep(1.0)
    broker.start()
    back_s = wait_until(lambda: thread.status.connected)
    wait_until(lambda: {f"i{number}" for number in range(40, 90)} <= set(observer.items()))
    assert thread.status.dropped == 20 and thread.status.outages == 1
    assert lost_s < 5 and back_s < 5
    kept = "the queue's 50 items came, 20 older ones counted as dropped"
    injected("broker killed, started again", kept, lost_s, back_s)
    assert len(logged) == 2 and "line goes on" in logged[0] and "back after" in logged[1]
    wait_until(lambda: observer.last("plant/line-1/availability") == "online")
    assert thread.close()


def test_a_broker_that_hangs_is_noticed_and_nothing_is_lost(broker, observer, injected):
    thread, outbox = output_of(config_of(broker))
    wait_until(lambda: thread.status.connected)
    os.kill(broker.process.pid, signal.SIGSTOP)
    for number in range(40):
        outbox.put(item(number))
    lost_s = wait_until(lambda: not thread.status.connected)
    os.kill(broker.process.pid, signal.SIGCONT)
    back_s = wait_until(lambda: {f"i{number}" for number in range(40)} <= set(observer.items()))
    assert thread.status.dropped == 0
    injected("broker stopped, goes on", "no item lost", lost_s, back_s)
    assert thread.close()


def test_the_broker_tells_that_the_line_died(broker, observer):
    config = config_of(broker)
    link = MqttLink(config, Outbox(10), ["boards"])
    link.connect()
    wait_until(lambda: observer.last("plant/line-1/availability") == "online")
    link._client.socket().close()  # as the kernel does for a killed process
    wait_until(lambda: observer.last("plant/line-1/availability") == "offline")


def test_a_wrong_password_and_an_unknown_certificate_are_logged(broker, tmp_path, logged):
    (tmp_path / "wrong").write_text("guessed")
    for changes, expected in (
        ({"password_file": tmp_path / "wrong"}, "refuses the connection"),
        ({"ca_file": None}, "certificate verify failed"),
    ):
        logged.clear()
        thread, outbox = output_of(config_of(broker, **changes))
        wait_until(lambda: logged)
        assert expected in logged[0] and "\n" not in logged[0]
        outbox.put(item(1))
        assert not thread.close(1.0)
        assert thread.status.sent == 0


def test_files_that_cannot_be_read_are_named_at_the_start(tmp_path):
    for changes in ({"user": "u", "password_file": tmp_path / "a"}, {"tls": True, "ca_file": "a"}):
        with pytest.raises(BadInput, match="can be read"):
            MqttLink(MqttConfig(host="h", **changes), Outbox(1), [])
    (tmp_path / "a").write_text("no certificate")
    with pytest.raises(BadInput, match="no CA certificate"):
        MqttLink(MqttConfig(host="h", tls=True, ca_file=tmp_path / "a"), Outbox(1), [])


@settings(deadline=None)
@given(st.integers(1, 8), st.lists(st.sampled_from(["put", "take", "put back"]), max_size=60))
def test_the_outbox_keeps_the_newest_in_order_and_counts_the_rest(capacity, steps):
    outbox, taken, put, delivered = Outbox(capacity), [], 0, []
    for step in steps:
        if step == "put":
            outbox.put(item(put))
            put += 1
        elif step == "take":
            if (record := outbox.take()) is not None:
                taken.append(record)
        else:
            delivered += taken[:1]
            outbox.put_back(taken[1:])
            taken = []
    left = [*taken]
    while (record := outbox.take()) is not None:
        left.append(record)
    numbers = [int(record.item_id[1:]) for record in left]
    assert numbers == sorted(set(numbers))
    assert outbox.dropped + len(delivered) + len(left) == put
