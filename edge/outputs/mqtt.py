"""Items and state of the line to an MQTT broker, through paho-mqtt.

Under the configured topic: `availability` (retained; `online`, or `offline`, which the broker also
publishes when the line dies), `state` (retained; the newest status as JSON), `board` (retained;
what a fleet needs of this board, `edge.fleet.report`), and `items` (one JSON object per item, at
least once: `item_id` identifies repetitions). Without a broker the newest items wait.

Messages that were retained under an earlier name of the line or of a bin are withdrawn: those that
are remembered (`edge.outputs.announced`) or, where none are, those that the broker still has of
this line.
"""

import json
import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from edge.broker import CONNECT_S, broker_login, check_packets
from edge.config import MqttConfig
from edge.errors import EwasteError
from edge.fleet.own import OwnReports
from edge.fleet.report import BOARD
from edge.outputs.announced import (
    MOST_TOPICS,
    may_be_published,
    read_announced,
    write_announced,
)
from edge.outputs.home_assistant import OFFLINE, ONLINE, belongs_to, discovery, stale_topics
from edge.records.record import ItemRecord
from edge.status import Status

GOODBYE_S = 1.0
POLL_S = 0.1
IN_FLIGHT = 20
"""Messages that wait for the broker's acknowledgement at a time."""
AT_LEAST_ONCE = 1
ACKNOWLEDGED_S = 10.0
"""A broker that answers but has acknowledged nothing for this time counts as lost, s."""
BOARD_LOOK_S = 5.0
"""Time between two looks for something new to report of the board, s."""
ITEM_KEYS = (
    "item_id",
    "decided_at",
    "label",
    "confidence",
    "bin",
    "reason",
    "detail",
    "late",
    "bundle",
)
"""What is published of an item: these fields of its record."""


class Outbox:
    """What waits to be sent: the line fills it and never waits, the thread empties it."""

    def __init__(self, capacity: int) -> None:
        """Start empty; a full outbox drops the oldest items, which the status still counts."""
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
        """Set the newest status; returns at once."""
        with self._lock:
            self._status = status

    def take(self) -> ItemRecord | None:
        """Take the oldest item out of the queue; None: there is none."""
        with self._lock:
            return self._items.popleft() if self._items else None

    def put_back(self, records: Sequence[ItemRecord]) -> None:
        """Put items that were taken but not delivered back in front of all others."""
        with self._lock:
            room = (self._items.maxlen or 0) - len(self._items)
            kept = records[len(records) - min(room, len(records)) :]
            self.dropped += len(records) - len(kept)
            self._items.extendleft(reversed(kept))

    @property
    def status(self) -> Status | None:
        """Return the newest status."""
        with self._lock:
            return self._status


class MqttLink:
    """A broker as a link of an output thread (`edge.output_thread.Link`)."""

    def __init__(
        self,
        config: MqttConfig,
        outbox: Outbox,
        bins: Sequence[str],
        announced: Path | None = None,
        board: OwnReports | None = None,
    ) -> None:
        """Prepare; nothing is sent before `connect`.

        Args:
            config: the broker, and the name of this line there.
            outbox: what is to be sent.
            bins: all of them.
            announced: file that remembers what the broker retains; None: only memory does.
            board: what the board reports of itself to who watches the fleet; None: nothing.

        Raises:
            BadInput: paho-mqtt is not installed, or the password or the CA file cannot be read.
        """
        self._login = broker_login(config)
        self._paho, self._config = self._login.paho, config
        self._outbox, self._bins, self._board = outbox, tuple(bins), board
        self._client: Any = None
        self._connected = False
        self._refused: str | None = None
        self._in_flight: dict[int, ItemRecord] = {}
        self._goodbye: int | None = None
        self._state_due_at = self._board_due_at = 0.0
        self._announced, self._broker = announced, f"{config.host}:{config.tcp_port}"
        self._remembered = None if announced is None else read_announced(announced, self._broker)
        self._current: frozenset[str] = frozenset()
        self._old: set[str] = set()
        self._withdrawals: dict[int, str] = {}
        self._acknowledged_at = 0.0
        self.sent = 0

    @property
    def dropped(self) -> int:
        """Return how many items were given up because too many waited."""
        return self._outbox.dropped

    def connect(self) -> None:
        """Connect, and announce this line.

        Raises:
            OSError: there is no broker, or its certificate cannot be trusted.
            EwasteError: the broker refuses the connection or does not answer.
        """
        config, topic = self._config, self._config.topic
        client = self._login.new_client(config.line_name)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.will_set(f"{topic}/availability", OFFLINE, AT_LEAST_ONCE, retain=True)
        self._connected, self._refused = False, None
        self._client = client
        client.connect(config.host, config.tcp_port, keepalive=config.keepalive_s)
        self._pump_until(lambda: self._connected, CONNECT_S)
        self._announce()
        self._publish(f"{topic}/availability", ONLINE, retain=True)
        self._state_due_at = self._board_due_at = 0.0
        if self._board is not None:
            self._board.forget()

    def work(self) -> float:
        """Send what is new, and wait for acknowledgements for a moment.

        Raises:
            EwasteError: the connection is lost.
        """
        self._remember()
        if time.monotonic() >= self._state_due_at and self._outbox.status is not None:
            self._send_state(self._outbox.status)
            self._state_due_at = time.monotonic() + self._config.state_every_s
        self._send_board(self._outbox.status)
        while len(self._in_flight) < IN_FLIGHT and (record := self._outbox.take()) is not None:
            payload = {name: getattr(record, name) for name in ITEM_KEYS}
            if not self._in_flight:
                self._acknowledged_at = time.monotonic()
            self._in_flight[0] = record  # not lost if publishing fails
            number = self._publish(f"{self._config.topic}/items", valid_json(payload))
            self._in_flight[number] = self._in_flight.pop(0)
        self._pump(POLL_S)
        if self._in_flight and time.monotonic() - self._acknowledged_at > ACKNOWLEDGED_S:
            raise EwasteError("the broker acknowledges nothing")
        return 0.0

    def disconnect(self) -> None:
        """Say goodbye if connected; what was not acknowledged waits again."""
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
            self._remember()

    def _say_goodbye(self) -> None:
        status = self._outbox.status
        if status is not None:
            self._send_state(status.stopped())
            self._board_due_at = 0.0
            self._send_board(status.stopped())
        availability = f"{self._config.topic}/availability"
        self._goodbye = self._publish(availability, OFFLINE, retain=True)
        self._pump_until(lambda: self._goodbye is None and not self._in_flight, GOODBYE_S)
        self._client.disconnect()

    def _send_state(self, status: Status) -> None:
        payload = valid_json(status.model_dump())
        self._publish(f"{self._config.topic}/state", payload, retain=True)

    def _send_board(self, status: Status | None) -> None:
        """Report the board, where there is something new to report."""
        if self._board is None or status is None or time.monotonic() < self._board_due_at:
            return
        self._board_due_at = time.monotonic() + BOARD_LOOK_S
        report = self._board.news(status, time.time())
        if report is not None:
            self._publish(f"{self._config.topic}/{BOARD}", report, retain=True)

    def _announce(self) -> None:
        """Withdraw what was retained under other names, and show the line to Home Assistant."""
        config, topic = self._config, self._config.topic
        messages: dict[str, str] = {}
        if config.discovery is not None:
            found = discovery(config.discovery, config.line_name, topic, self._bins)
            messages = {name: valid_json(payload) for name, payload in found}
        before = self._remembered
        own = (f"{topic}/{name}" for name in ("state", "availability", BOARD))
        self._current = frozenset({*messages, *own})
        self._old = set(before or ()) - self._current
        self._withdrawals.clear()
        self._remember()  # first: whatever happens in between, nothing is forgotten
        for name in sorted(self._old):
            self._withdraw(name)
        for name, payload in messages.items():
            self._publish(name, payload, retain=True)
        if before is None and config.discovery is not None:
            # Only once: there are brokers that hang up on who may not subscribe.
            for pattern in stale_topics(config.discovery, config.line_name):
                self._client.subscribe(pattern)

    def _withdraw(self, topic: str) -> None:
        self._old.add(topic)
        self._withdrawals[self._publish(topic, "", retain=True)] = topic

    def _remember(self) -> None:
        """Remember what the broker retains, if that has changed."""
        retained = self._current | self._old
        if not retained or retained == self._remembered:  # nothing before the first connection
            return
        self._remembered = retained
        if self._announced is not None:
            with suppress(OSError):  # what is not remembered is no reason to stop
                write_announced(self._announced, self._broker, retained)

    def _publish(self, topic: str, payload: str, retain: bool = False) -> int:
        """Send a message; returns the number that its acknowledgement carries."""
        info = self._client.publish(topic, payload, AT_LEAST_ONCE, retain)
        if info.rc != self._paho.MQTT_ERR_SUCCESS:
            raise EwasteError(self._paho.error_string(info.rc))
        return info.mid

    def _pump(self, seconds: float) -> None:
        """Read from and write to the broker for at most this time."""
        code = self._client.loop(seconds)
        if self._refused is not None:
            raise EwasteError(self._refused)
        check_packets(self._client, IN_FLIGHT)
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
        refused = f"the broker refuses the connection ({reason})"
        self._refused = refused if reason.is_failure else None

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        self._connected = False

    def _on_publish(self, client: Any, data: Any, number: int, reason: Any, more: Any) -> None:
        if number == self._goodbye:
            self._goodbye = None
        self._old.discard(self._withdrawals.pop(number, ""))
        if self._in_flight.pop(number, None) is not None:
            self.sent += 1
            self._acknowledged_at = time.monotonic()

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        """Withdraw what an earlier run has announced of this line and nobody remembers."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        known = topic in self._current or topic in self._old
        if known or not message.retain or len(self._old) >= MOST_TOPICS:
            return
        if may_be_published(topic) and belongs_to(self._config.line_name, message.payload):
            self._withdraw(topic)


def valid_json(content: object) -> str:
    """Encode as JSON that every reader accepts: no NaN, no infinity, no invalid text."""
    return json.dumps(_valid(content), allow_nan=False)


def _valid(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_valid(key): _valid(each) for key, each in value.items()}
    return [_valid(each) for each in value] if isinstance(value, list | tuple) else value
