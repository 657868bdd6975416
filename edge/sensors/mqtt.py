"""A sensor that publishes its readings at the MQTT broker of the line, through paho-mqtt."""

import time
from typing import Any

from edge.broker import CONNECT_S, broker_login, check_packets
from edge.config import MqttConfig
from edge.errors import EwasteError
from edge.sensors.inbox import Inbox

POLL_S = 0.05
AT_LEAST_ONCE = 1
MOST_WAITING = 100
"""Messages that the broker may hand over between two looks."""


class MqttSensorLink:
    """A topic as a link of a thread (`edge.output_thread.Link`).

    Nothing is asked for again after an outage: what a sensor found then is too old for its item.
    """

    sent = dropped = 0

    def __init__(self, config: MqttConfig, topic: str, inbox: Inbox) -> None:
        """Prepare; nothing is sent before `connect`.

        Args:
            config: the broker.
            topic: that the sensor publishes under.
            inbox: takes in its messages.

        Raises:
            BadInput: paho-mqtt is not installed, or the password or the CA file cannot be read.
        """
        self._login = broker_login(config)
        self._config, self._topic, self._inbox = config, topic, inbox
        self._client: Any = None
        self._subscribed = False
        self._refused: str | None = None

    def connect(self) -> None:
        """Connect and subscribe.

        Raises:
            OSError: there is no broker, or its certificate cannot be trusted.
            EwasteError: the broker refuses or does not answer.
        """
        config = self._config
        client = self._login.new_client(f"{config.name}-{self._inbox.sensor}")
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message = self._on_message
        self._subscribed, self._refused, self._client = False, None, client
        client.connect(config.host, config.tcp_port, keepalive=config.keepalive_s)
        deadline = time.monotonic() + CONNECT_S
        while not self._subscribed:
            if time.monotonic() > deadline:
                raise EwasteError("the broker does not answer")
            self._pump()

    def work(self) -> float:
        """Take in what the broker has, for a moment.

        Raises:
            EwasteError: the connection is lost.
        """
        self._pump()
        return 0.0

    def disconnect(self) -> None:
        """Leave the broker."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            if client.socket() is not None:
                client.socket().close()

    def _pump(self) -> None:
        code = self._client.loop(POLL_S)
        if self._refused is not None:
            raise EwasteError(self._refused)
        check_packets(self._client, MOST_WAITING)
        if code != self._login.paho.MQTT_ERR_SUCCESS:
            reason = self._login.paho.error_string(code)
            raise EwasteError(f"the connection was lost ({reason})")

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker refuses the connection ({reason})"
        else:
            client.subscribe(self._topic, AT_LEAST_ONCE)

    def _on_subscribe(self, client: Any, data: Any, number: int, reasons: Any, more: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refused = f"the broker lets nobody read {self._topic}"
        self._subscribed = True

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        if message.retain:
            self._inbox.reject("retained by the broker: nobody knows how old it is")
        else:
            self._inbox.receive(bytes(message.payload))
