"""Gates and counts of a PLC over Modbus TCP, through pymodbus.

Each gate has a coil: 1 opens it. From the configured register on, the line writes: heartbeat (16
bits), running (16 bits, 1 or 0), then items, late, unknown, and the items of each bin in the order
of the configuration, `manual` last (32 bits each, high word first). The heartbeat changes only
while the line works; the program of the PLC must close the gates when it stops changing.
"""

import socket
import struct
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from edge.config import ModbusConfig
from edge.modbus import answer_to, new_modbus_client
from edge.status import Status

# Sends a reset and drops what was not delivered: no stale opening reaches the PLC later on.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def counters(status: Status | None, bins: Sequence[str], heartbeat: int, alive: bool) -> list[int]:
    """Return the values of the registers, each 0 to 65535."""
    running = int(alive and status is not None)
    counts = [0] * (3 + len(bins))
    if status is not None:
        per_bin = [status.per_bin.get(bin_name, 0) for bin_name in bins]
        counts = [status.items, status.late, status.unknown, *per_bin]
    words = [word for count in counts for word in divmod(count % 2**32, 2**16)]
    return [heartbeat % 2**16, running, *words]


class ModbusPlc:
    """A PLC: an actuator (`edge.gates.driven`) that also receives counts."""

    def __init__(
        self, config: ModbusConfig, coils: Mapping[str, int], counted: Sequence[str]
    ) -> None:
        """Prepare; nothing is sent before `connect`.

        Args:
            config: where the PLC is.
            coils: bin -> address of its gate's coil.
            counted: bins in the order of their registers.

        Raises:
            BadInput: pymodbus is not installed.
        """
        self._config, self._coils, self._counted = config, dict(coils), tuple(counted)
        self._client = new_modbus_client("[modbus]", config.host, config.port, config.timeout_s)
        self._status: Status | None = None
        self._status_lock = Lock()
        self._heartbeat = 0

    def show(self, status: Status) -> None:
        """Set the newest counts; returns at once."""
        with self._status_lock:
            self._status = status

    def connect(self) -> None:
        """Connect.

        Raises:
            OSError: the PLC does not answer.
        """
        config = self._config
        link = socket.create_connection((config.host, config.port), timeout=config.timeout_s)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.socket = link

    def open(self, bin_name: str) -> None:
        """Set the coil of `bin_name`.

        Raises:
            EwasteError: the PLC does not answer, or answers with an error.
        """
        self._ask(self._client.write_coil, self._coils[bin_name], True)

    def close(self, bin_name: str) -> None:
        """Clear the coil of `bin_name`.

        Raises:
            EwasteError: the PLC does not answer, or answers with an error.
        """
        self._ask(self._client.write_coil, self._coils[bin_name], False)

    def idle(self, alive: bool) -> None:
        """Advance the heartbeat if the line works, and write the counts.

        Raises:
            EwasteError: the PLC does not answer, or answers with an error.
        """
        if self._config.registers is None:
            return
        self._heartbeat += alive
        with self._status_lock:
            status = self._status
        words = counters(status, self._counted, self._heartbeat, alive)
        self._ask(self._client.write_registers, self._config.registers, words)

    def disconnect(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self, request: Any, address: int, value: bool | list[int]) -> None:
        answer_to(request, address, value, client=self._client, unit=self._config.unit)
