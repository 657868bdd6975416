"""Items and state of the line to an MQTT broker, through paho-mqtt.

Under the configured topic: `availability` (retained; `online`, or `offline`, which the broker also
says when the line dies), `state` (retained; JSON, the newest), and `items` (one JSON object per
item, at least once: `item_id` tells repetitions). Without a broker the newest items wait.
"""

import json
import ssl
import time
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Any

from edge.config import MqttConfig
from edge.errors import BadInput, EwasteError
from edge.outputs.home_assistant import OFFLINE, ONLINE, discovery
from edge.panel.live import STOPPED, Status
from edge.store import ItemRecord

CONNECT_S, GOODBYE_S = 5.0, 1.0
POLL_S = 0.1
IN_FLIGHT = 20
"""Messages that wait for the broker's acknowledgement at a time."""
AT_LEAST_ONCE = 1
TOLD = ("item_id", "decided_at", "label", "confidence", "bin", "reason", "late", "bundle")


class Outbox:
    """What waits to be sent; filled by the line, which never waits, and emptied by the thread."""

    def __init__(self, capacity: int) -> None:
        """Start empty; a full outbox drops the oldest items, which the newest state counts too."""
        self._items: deque[ItemRecord] = deque(maxlen=capacity)
        self._status: Status | None = None
        self._lock = Lock()
        self.dropped = 0

    def put(self, record: ItemRecord) -> None:
        """Queue an item; returns at once."""
        with self._lock:
            self.dropped += len(self._items) == self._items.maxlen
            self._items.append(record)

    def show(self, status: Status) -> None:
        """Take the newest state; returns at once."""
        with self._lock:
            self._status = status

    def take(self) -> ItemRecord | None:
        """The oldest item, out of the queue; None: there is none."""
        with self._lock:
            return self._items.popleft() if self._items else None

    def put_back(self, records: Sequence[ItemRecord]) -> None:
        """Queue items that were taken and not delivered, before all others."""
        with self._lock:
            room = (self._items.maxlen or 0) - len(self._items)
            kept = records[len(records) - min(room, len(records)) :]
            self.dropped += len(records) - len(kept)
            self._items.extendleft(reversed(kept))

    @property
    def status(self) -> Status | None:
        """The newest state."""
        with self._lock:
            return self._status


class MqttLink:
    """A broker as the thread of an output sees it (`edge.outputs.output_thread.Link`)."""

    def __init__(self, config: MqttConfig, outbox: Outbox, bins: Sequence[str]) -> None:
        """Prepare; nothing is sent before `connect`.

        Raises:
            BadInput: paho-mqtt is not installed, or the password or the CA file cannot be read.
        """
        try:
            from paho.mqtt import client as paho
        except ModuleNotFoundError:
            raise BadInput("[mqtt] needs paho-mqtt: pip install 'ewaste-edge[mqtt]'") from None
        self._paho, self._config, self._outbox, self._bins = paho, config, outbox, tuple(bins)
        self._password = _password(config)
        self._tls = _tls(config)
        self._client: Any = None
        self._connected, self._refused = False, ""
        self._in_flight: dict[int, ItemRecord] = {}
        self._last_word: int | None = None
        self._state_due_at = 0.0
        self.sent = 0

    @property
    def dropped(self) -> int:
        """Items given up because too many waited."""
        return self._outbox.dropped

    def connect(self) -> None:
        """Connect, and say who we are.

        Raises:
            OSError: no broker, or its certificate cannot be trusted.
            EwasteError: the broker refuses us or does not answer.
        """
        config, topic = self._config, self._config.topic
        client = self._paho.Client(self._paho.CallbackAPIVersion.VERSION2, client_id=config.name)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish = self._on_publish
        client.will_set(f"{topic}/availability", OFFLINE, AT_LEAST_ONCE, retain=True)
        if config.user is not None:
            client.username_pw_set(config.user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.connect_timeout = CONNECT_S
        self._connected, self._refused = False, ""
        self._client = client
        client.connect(config.host, config.tcp_port, keepalive=config.keepalive_s)
        self._pump_until(lambda: self._connected, CONNECT_S)
        if config.discovery is not None:
            for name, payload in discovery(config.discovery, config.name, topic, self._bins):
                self._publish(name, json.dumps(payload), retain=True)
        self._publish(f"{topic}/availability", ONLINE, retain=True)
        self._state_due_at = 0.0

    def work(self) -> float:
        """Send what is new, and listen for acknowledgements for a moment.

        Raises:
            EwasteError: the connection is lost.
        """
        if time.monotonic() >= self._state_due_at and self._outbox.status is not None:
            self._send_state(self._outbox.status)
            self._state_due_at = time.monotonic() + self._config.state_every_s
        while len(self._in_flight) < IN_FLIGHT and (record := self._outbox.take()) is not None:
            told = {name: getattr(record, name) for name in TOLD}
            self._in_flight[0] = record  # not lost if publishing fails
            number = self._publish(f"{self._config.topic}/items", json.dumps(told))
            self._in_flight[number] = self._in_flight.pop(0)
        self._pump(POLL_S)
        return 0.0

    def disconnect(self) -> None:
        """Say goodbye if there is somebody to hear it; what was not acknowledged waits again."""
        client, self._client = self._client, None
        try:
            if client is not None and self._connected:
                self._client = client
                self._say_goodbye()
        finally:
            self._connected, self._client = False, None
            if client is not None and client.socket() is not None:
                client.socket().close()
            self._outbox.put_back(list(self._in_flight.values()))
            self._in_flight.clear()

    def _say_goodbye(self) -> None:
        status = self._outbox.status
        if status is not None:
            gates = dict.fromkeys(status.gates, False)
            self._send_state(status.model_copy(update={"state": STOPPED, "gates": gates}))
        availability = f"{self._config.topic}/availability"
        self._last_word = self._publish(availability, OFFLINE, retain=True)
        self._pump_until(lambda: self._last_word is None and not self._in_flight, GOODBYE_S)
        self._client.disconnect()

    def _send_state(self, status: Status) -> None:
        self._publish(f"{self._config.topic}/state", status.model_dump_json(), retain=True)

    def _publish(self, topic: str, payload: str, retain: bool = False) -> int:
        """Send a message; returns the number under which it is acknowledged."""
        info = self._client.publish(topic, payload, AT_LEAST_ONCE, retain)
        if info.rc != self._paho.MQTT_ERR_SUCCESS:
            raise EwasteError(self._paho.error_string(info.rc))
        return info.mid

    def _pump(self, seconds: float) -> None:
        """Read and write for at most so long."""
        code = self._client.loop(seconds)
        if self._refused:
            raise EwasteError(self._refused)
        if code != self._paho.MQTT_ERR_SUCCESS:
            raise EwasteError(f"the connection was lost ({self._paho.error_string(code)})")

    def _pump_until(self, condition: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise EwasteError("the broker does not answer")
            self._pump(POLL_S)

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        self._connected = not reason.is_failure
        self._refused = f"the broker refuses us ({reason})" if reason.is_failure else ""

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        self._connected = False

    def _on_publish(self, client: Any, data: Any, number: int, reason: Any, more: Any) -> None:
        if number == self._last_word:
            self._last_word = None
        if self._in_flight.pop(number, None) is not None:
            self.sent += 1


def _password(config: MqttConfig) -> str | None:
    if config.password_file is None:
        return None
    try:
        return config.password_file.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{config.password_file}: no password can be read ({error})") from None


def _tls(config: MqttConfig) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    try:
        return ssl.create_default_context(cafile=config.ca_file and config.ca_file.expanduser())
    except (OSError, ssl.SSLError) as error:
        raise BadInput(f"{config.ca_file}: no CA certificate can be read ({error})") from None
