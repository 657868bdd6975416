"""A client of the MQTT broker of a configuration: who logs in, whom it trusts, what it takes in."""

import socket
import ssl
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from edge.config import MqttConfig
from edge.errors import BadInput, EwasteError
from edge.files import read_bounded, read_password

CONNECT_S = 5.0
LARGEST_CA_FILE = 4_000_000
LARGEST_PACKET = 256_000
"""Largest packet that is accepted from a broker, bytes. A retained message of a line has a few
hundred; the protocol allows 256 MB, and a small device has little more."""


@dataclass(frozen=True)
class BrokerLogin:
    """Who logs in at a broker, and whom it trusts.

    Attributes:
        config: the broker.
        paho: the module of the client.
        password: None: there is none.
        tls: None: nothing is encrypted.
    """

    config: MqttConfig
    paho: ModuleType
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None

    def new_client(self, client_id: str) -> Any:
        """A paho client that is not connected yet; with an empty id, the broker gives it one."""
        version = self.paho.CallbackAPIVersion.VERSION2
        client = self.paho.Client(version, client_id=client_id)
        if self.config.user is not None:
            client.username_pw_set(self.config.user, self.password)
        if self.tls is not None:
            client.tls_set_context(self.tls)
        client.connect_timeout = CONNECT_S
        client.on_socket_open = _limit_buffer
        return client


def broker_login(config: MqttConfig) -> BrokerLogin:
    """Read what a broker asks for.

    Raises:
        BadInput: paho-mqtt is not installed, or the password or the CA file cannot be read.
    """
    try:
        from paho.mqtt import client as paho
    except ModuleNotFoundError:
        raise BadInput("[mqtt] needs paho-mqtt; run: pip install 'paho-mqtt>=2,<3'") from None
    secret = config.password_file
    password = None if secret is None else read_password(secret.expanduser())
    return BrokerLogin(config, paho, password, _tls(config))


def check_packets(client: Any, most_messages: int) -> None:
    """See that a broker sends no packet or message that nobody asked for.

    Raises:
        EwasteError: it does.
    """
    # paho knows no limit of its own; where it calls these otherwise, there is none.
    coming = getattr(client, "_in_packet", {}).get("remaining_length", 0)
    if coming > LARGEST_PACKET or len(getattr(client, "_in_messages", ())) > most_messages:
        raise EwasteError("the broker sends packets that were not asked for")


def _limit_buffer(client: Any, data: Any, link: Any) -> None:
    """Limit the receive buffer, so that an endless packet is noticed within a few megabytes."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)


def _tls(config: MqttConfig) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    if config.ca_file is None:
        return ssl.create_default_context()
    path = config.ca_file.expanduser()
    try:
        # Not by its name: reading a pipe would never end.
        known = read_bounded(path, LARGEST_CA_FILE).decode("ascii", "ignore")
        return ssl.create_default_context(cadata=known)
    except (BadInput, OSError, ValueError) as error:  # an SSLError is an OSError
        reason = str(error).removeprefix(f"{path}: ")
        raise BadInput(f"{path}: no CA certificate can be read ({reason})") from None
