"""Brokers and PLCs that answer anything: their threads go on, and so does the line."""

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config import ModbusConfig, MqttConfig
from edge.gates.driven import DrivenGates
from edge.output_thread import OutputThread
from edge.outputs.modbus import ModbusPlc
from edge.outputs.mqtt import MqttLink, Outbox
from edge.status import Status
from tests.support.records import RECORD
from tests.support.waiting import wait_until

CONNECTED = b"\x20\x02\x00\x00"
Talk = Callable[[socket.socket], None]


def serve(ending: ExitStack, talk: Talk) -> int:
    """Talk to whoever connects; returns the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    ending.callback(listener.close)
    ending.callback(listener.shutdown, socket.SHUT_RDWR)

    def one(link: socket.socket) -> None:
        with suppress(OSError), link:
            talk(link)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def repeated(piece: bytes, first: bytes = b"") -> Talk:
    def talk(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(first)
        while True:
            link.sendall(piece)

    return talk


def random_bytes(link: socket.socket) -> None:
    chance = random.Random(16)
    link.recv(1000)
    link.sendall(CONNECTED)
    while True:
        link.sendall(chance.randbytes(20))
        time.sleep(0.01)


def answered(answer: Callable[[bytes], bytes]) -> Talk:
    def talk(link: socket.socket) -> None:
        while asked := link.recv(1000):
            link.sendall(answer(asked))

    return talk


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def of_config(size: int) -> bytes:
    topic = b"homeassistant/sensor/n/x/config"
    return b"\x31" + bytes([2 + len(topic) + size, 0, len(topic)]) + topic + b"{" * size


BROKERS: dict[str, Talk] = {
    "a packet of 256 MB": repeated(bytes(65_536), CONNECTED + b"\x30\xff\xff\xff\x7f"),
    "messages nobody asked for": repeated(of_config(2) * 1000, CONNECTED),
    "messages to be confirmed": repeated(b"\x34\x66\x00\x01a\x00\x07" + b"x" * 97, CONNECTED),
    "a topic that is no text": repeated(b"\x31\x06\x00\x02\xff\xfe{}", CONNECTED),
    "random bytes": random_bytes,
    "hangs up": lambda link: link.sendall(CONNECTED),
    "says no": lambda link: link.sendall(b"\x20\x02\x00\x05"),
}


@pytest.mark.parametrize("name", ["a packet of 256 MB", "the others"])
def test_a_hostile_broker_costs_neither_the_thread_nor_the_memory(name: str, injected) -> None:
    talks = [talk for key, talk in BROKERS.items() if (key == name) == (name in BROKERS)]
    before = most = resident_mb()
    with ExitStack() as ending:
        threads = []
        for talk in talks:
            config = MqttConfig(host="127.0.0.1", port=serve(ending, talk), name="n", keepalive_s=1)
            outbox = Outbox(20)
            outbox.show(Status(updated_at=0, state="running"))
            for number in range(40):
                outbox.put(replace(RECORD, item_id=f"i{number}"))
            link = MqttLink(config, outbox, ["a"])
            threads.append(OutputThread("MQTT", link, 0.5))
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            most = max(most, resident_mb())
            time.sleep(0.02)
        assert all(thread._thread.is_alive() for thread in threads)
        assert not any(thread.status.sent for thread in threads)
        for thread in threads:
            thread.close(0.1)
        for thread in threads:
            wait_until(lambda thread=thread: not thread._thread.is_alive(), 20)
    assert most - before < 100
    injected(f"broker sends {name}", f"thread goes on, {most - before:.0f} MB more at most")


def test_a_broker_that_acknowledges_nothing_is_noticed(
    monkeypatch: pytest.MonkeyPatch, logged
) -> None:
    """It answers pings, so that it seems to be there for ever."""
    monkeypatch.setattr("edge.outputs.mqtt.ACKNOWLEDGED_S", 1.5)

    def pong(link: socket.socket) -> None:
        link.sendall(CONNECTED)
        while asked := link.recv(1000):
            if asked.endswith(b"\xc0\x00"):
                link.sendall(b"\xd0\x00")

    with ExitStack() as ending:
        config = MqttConfig(host="127.0.0.1", port=serve(ending, pong), keepalive_s=1)
        outbox = Outbox(20)
        thread = OutputThread("MQTT", MqttLink(config, outbox, ["a"]), 0.5)
        outbox.put(RECORD)
        wait_until(lambda: logged)
        assert "acknowledges nothing" in logged[0] and thread.status.dropped == 0
        thread.close(0.1)


PLCS: dict[str, Talk] = {
    "one byte after the other": lambda link: [
        (link.sendall(b"\0"), time.sleep(0.05)) for _ in range(1000)
    ],
    "zeros without end": repeated(bytes(65_536)),
    "random bytes": random_bytes,
    "another answer": answered(lambda asked: asked[:7] + b"\x03\x02\x00\x00"),
    "a length of 65,535": answered(lambda asked: asked[:4] + b"\xff\xff" + asked[6:8]),
    "half an answer": answered(lambda asked: asked[:4] + b"\x00\x02" + asked[6:8]),
    "an exception unheard of": answered(
        lambda asked: asked[:4] + b"\x00\x03" + asked[6:7] + bytes([asked[7] | 0x80, 0xFE])
    ),
}


def test_a_hostile_plc_costs_neither_the_thread_nor_a_stale_opening() -> None:
    with ExitStack() as ending:
        driven = []
        for talk in PLCS.values():
            config = ModbusConfig(
                host="127.0.0.1", port=serve(ending, talk), registers=10, timeout_s=0.2
            )
            driven.append(DrivenGates("PLC", ["a"], ModbusPlc(config, {"a": 1}, ["a"])))
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            for gates in driven:
                gates.open("a")
                gates.close("a")
            time.sleep(0.1)
        for gates in driven:
            assert gates._thread._thread.is_alive() and gates.status.outages > 0
            assert gates.status.sent == 0 and "\n" not in (gates.status.error or "")
        for gates in driven:
            gates._thread.close(0.1)
        for gates in driven:
            wait_until(lambda gates=gates: not gates._thread._thread.is_alive(), 20)
