"""What the boards of a fleet have reported: their retained messages, taken from the broker once."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from edge.broker import CONNECT_S, BrokerLogin, broker_login, check_packets
from edge.config import MqttConfig
from edge.errors import BadInput, EwasteError, Refused, first_problem, one_line
from edge.fleet.report import BOARD, BoardReport, parse_report
from edge.limits import LONGEST_TOPIC

log = logging.getLogger(__name__)

QUIET_S = 0.3
"""A broker that sends no retained message for so long has sent all."""
SURELY_ALL = 500
"""Boards. Mosquitto keeps 1,000 messages for a client that cannot take them at once, two of each
board, and drops the others."""
LONGEST_S = 60.0
POLL_S, WAITED = 0.05, 0.9
"""A look at the connection lasts so long, s, where nothing comes; and this share of it at least."""
MOST_BOARDS = 20_000
MOST_WAITING = 1000
AVAILABILITY, OFFLINE = "availability", b"offline"
ANY_LEVEL = "+"


@dataclass(frozen=True)
class HeardBoard:
    """What the broker holds of one board.

    Attributes:
        topic: under which the board publishes.
        report: its last one; None: it cannot be read.
        offline: whether its line has left the broker, or was lost to it.
        problem: why the report cannot be read; empty if it can.
    """

    topic: str
    report: BoardReport | None
    offline: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """The name of the board, or its topic where it has not named itself."""
        return self.report.board if self.report is not None else one_line(self.topic)


@dataclass(frozen=True)
class FleetPlace:
    """Where a fleet reports.

    Attributes:
        mqtt: the broker.
        pattern: of the topics of the boards, in which `+` stands for any one level.
    """

    mqtt: MqttConfig
    pattern: str


def fleet_place(mqtt: MqttConfig | None, broker: str | None, topic: str | None) -> FleetPlace:
    """Where to listen: at the broker of a configuration, or at another one.

    Args:
        mqtt: of the configuration; None: it names no broker.
        broker: `HOST` or `HOST:PORT`, which overrules the configuration.
        topic: pattern of the topics of the boards; None: what lies beside that of `mqtt`.

    Raises:
        BadInput: no broker is named, or a value cannot be used.
    """
    if broker is None and mqtt is None:
        raise BadInput("no broker; give --broker HOST[:PORT], or --config with an [mqtt] section")
    given = {} if mqtt is None else mqtt.model_dump(exclude_unset=True)
    if broker is not None:
        host, port = _host_and_port(broker)
        given |= {"host": host, "port": port}
    try:
        settings = MqttConfig.model_validate(given)
    except ValidationError as error:
        raise BadInput(f"--broker: {first_problem(error)}") from None
    if topic is None:
        above, slash, _ = ("" if mqtt is None else settings.topic).rpartition("/")
        return FleetPlace(settings, f"{above}{slash}{ANY_LEVEL}")
    levels = topic.split("/")
    wrong = not topic or len(topic) > LONGEST_TOPIC or not topic.isprintable()
    if wrong or "#" in topic or any("+" in level and level != ANY_LEVEL for level in levels):
        raise BadInput(
            f"--topic {one_line(topic, 40)}: give the topics of the boards, such as plant/+, where "
            "+ is a whole level"
        )
    return FleetPlace(settings, topic)


def _host_and_port(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text, None
    if not (port.isascii() and port.isdecimal() and len(port) < 6):
        raise BadInput(f"--broker {one_line(text, 40)}: give HOST, HOST:PORT, or [ADDRESS]:PORT")
    return host, int(port)


def listen(place: FleetPlace, quiet_s: float = QUIET_S) -> tuple[HeardBoard, ...]:
    """Ask a broker for the reports that it retains; sorted by topic.

    Args:
        place: where to listen.
        quiet_s: a broker that sends none for so long has sent all, s.

    Raises:
        BadInput: paho-mqtt, the password, or the CA file is missing.
        EwasteError: the broker cannot be reached, refuses, or goes away.
    """
    heard = _Heard()
    shown = f"{place.mqtt.host}:{place.mqtt.tcp_port}"
    try:
        _Visit(broker_login(place.mqtt), place.pattern, heard).listen(quiet_s)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = getattr(error, "strerror", None) or one_line(error, 200)
        raise EwasteError(f"{shown}: does not answer ({reason}); check the broker") from None
    except BadInput:
        raise
    except EwasteError as error:
        raise EwasteError(f"{shown}: {error}; check the broker, user, and password") from None
    found = heard.boards()
    if len(found) > SURELY_ALL:
        log.warning(
            "%s: of more than %d boards a broker may hold some back; ask for fewer with --topic, "
            "or set max_queued_messages 0 there",
            shown,
            SURELY_ALL,
        )
    return found


class _Heard:
    """What has come so far, bounded."""

    def __init__(self) -> None:
        self._reports: dict[str, BoardReport | str] = {}
        self._offline: dict[str, bool] = {}

    def take(self, topic: str, payload: bytes) -> None:
        """Take a message in; what is none of a board is passed over."""
        name, _, kind = topic.rpartition("/")
        known = self._reports if kind == BOARD else self._offline
        if len(topic) > 2 * LONGEST_TOPIC or (name not in known and len(known) >= MOST_BOARDS):
            return
        if kind == AVAILABILITY:
            self._offline[name] = payload == OFFLINE
        elif kind == BOARD and payload:
            try:
                self._reports[name] = parse_report(payload)
            except Refused as error:
                self._reports[name] = str(error)

    def boards(self) -> tuple[HeardBoard, ...]:
        """The boards that report."""
        found = []
        for topic, report in sorted(self._reports.items()):
            offline = self._offline.get(topic, False)
            if isinstance(report, BoardReport):
                found.append(HeardBoard(topic, report, offline))
            else:
                found.append(HeardBoard(topic, None, offline, report))
        return tuple(found)


class _Visit:
    """One connection, in the thread that asks."""

    def __init__(self, login: BrokerLogin, pattern: str, heard: _Heard) -> None:
        self._login, self._heard = login, heard
        self._topics = [(f"{pattern}/{kind}", 0) for kind in (BOARD, AVAILABILITY)]
        self._client = client = login.new_client("")
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message = self._on_message
        self._answer: str | None = None  # empty: it is well
        self._quiet_s = 0.0

    def listen(self, quiet_s: float) -> None:
        """Take in what is retained."""
        config = self._login.config
        try:
            self._client.connect(config.host, config.tcp_port)
            self._wait_for_answer()
            self._client.subscribe(self._topics)
            self._wait_for_answer()
            self._quiet_s, ends_at = 0.0, time.monotonic() + LONGEST_S
            self._pump_until(lambda now: self._quiet_s >= quiet_s or now >= ends_at)
            self._client.disconnect()
        finally:
            link = self._client.socket()
            if link is not None:
                link.close()

    def _wait_for_answer(self) -> None:
        self._answer = None
        ends_at = time.monotonic() + CONNECT_S
        self._pump_until(lambda now: self._answer is not None or now >= ends_at)
        if self._answer is None:
            raise EwasteError("does not answer in time")
        if self._answer:
            raise EwasteError(self._answer)

    def _pump_until(self, is_done: Callable[[float], bool]) -> None:
        paho = self._login.paho
        while not is_done(time.monotonic()):
            began = time.monotonic()
            code = self._client.loop(POLL_S)
            # Only while nothing came: on a busy machine much may wait here, unread.
            self._quiet_s += POLL_S if time.monotonic() - began >= WAITED * POLL_S else 0.0
            check_packets(self._client, MOST_WAITING)
            if code != paho.MQTT_ERR_SUCCESS and not self._answer:
                raise EwasteError(f"the connection was lost ({paho.error_string(code)})")

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        self._answer = f"refuses the connection ({reason})" if reason.is_failure else ""

    def _on_subscribe(self, client: Any, data: Any, number: int, reasons: Any, more: Any) -> None:
        failed = any(reason.is_failure for reason in reasons)
        self._answer = "does not let this user read the reports" if failed else ""

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        if message.retain:
            self._quiet_s = 0.0
        try:
            self._heard.take(message.topic, message.payload)
        except UnicodeDecodeError:
            return
