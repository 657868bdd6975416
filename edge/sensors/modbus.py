"""A sensor that is asked over Modbus TCP, through pymodbus: four registers, or a coil.

The registers are holding registers, from the configured one on: heartbeat (changes while the sensor
works), number (counted up with each reading), result (1 or 0; where a limit is configured, the
value that is compared with it), certainty (0 to 100 %). A coil is 1 while the sensor finds
something, and says nothing otherwise: a wire that is cut reads the same.
"""

from collections.abc import Sequence
from typing import Any

from edge.clock import Clock
from edge.config import SENSOR_REGISTERS
from edge.errors import BadInput, EwasteError
from edge.modbus import answer_to, new_modbus_client
from edge.sensors.inbox import Inbox
from edge.sensors.reading import SensorReading

PERCENT = 100
ROUND = 65_536
"""Numbers of a register; the next one after 65,535 is 0."""


class ModbusSensorLink:
    """A Modbus device as a link of a thread (`edge.output_thread.Link`)."""

    sent = dropped = 0

    def __init__(
        self,
        *,
        host: str,
        port: int,
        unit: int,
        timeout_s: float,
        registers: int | None,
        coil: int | None,
        poll_s: float,
        has_value: bool,
        inbox: Inbox,
        clock: Clock,
    ) -> None:
        """Prepare; nothing is asked before `connect`.

        Args:
            host: of the device.
            port: its TCP port.
            unit: its device id.
            timeout_s: for an answer, s.
            registers: the first of its four; None: it has a coil.
            coil: its coil.
            poll_s: time between two looks, s.
            has_value: the result is a value, not 1 or 0.
            inbox: takes in its readings.
            clock: of the line.

        Raises:
            BadInput: pymodbus is not installed.
        """
        asker = "a sensor with registers or a coil"
        self._client = new_modbus_client(asker, host, port, timeout_s)
        self._unit, self._registers, self._coil = unit, registers, coil
        self._poll_s, self._has_value = poll_s, has_value
        self._inbox, self._clock = inbox, clock
        self._heartbeat: int | None = None
        self._number: int | None = None
        self._was_on = False
        self._count = 0

    def connect(self) -> None:
        """Connect. What the registers hold then is of nobody knows when, and is not taken in.

        Raises:
            EwasteError: the device does not answer.
        """
        self._heartbeat = self._number = None
        self._was_on = True
        if not self._client.connect():
            raise EwasteError("does not answer")

    def work(self) -> float:
        """Look once.

        Raises:
            EwasteError: the device does not answer, or answers with an error.
        """
        if self._registers is not None:
            self._see_registers(self._ask(self._client.read_holding_registers, self._registers))
        else:
            assert self._coil is not None, "the configuration says so"
            self._see_coil(bool(self._ask(self._client.read_coils, self._coil)[0]))
        return self._poll_s

    def disconnect(self) -> None:
        """Close the connection."""
        self._client.close()

    def _see_registers(self, words: Sequence[int]) -> None:
        heartbeat, number, result, percent = words
        if self._heartbeat is not None and heartbeat != self._heartbeat:
            self._inbox.alive()
        self._heartbeat = heartbeat
        before, self._number = self._number, number
        if before is None or number == before:
            return
        self._count += (number - before) % ROUND
        try:
            if percent > PERCENT:
                raise BadInput(f"a certainty of {percent} %")
            if not self._has_value and result > 1:
                raise BadInput(f"a result of {result}; must be 0 or 1")
            value = float(result) if self._has_value else None
            found = self._inbox.is_found(None if self._has_value else result == 1, value)
        except BadInput as error:
            self._inbox.reject(str(error))
            return
        certainty = percent / PERCENT
        self._inbox.put(SensorReading(self._count, self._clock.now(), found, certainty, value))

    def _see_coil(self, is_on: bool) -> None:
        self._inbox.alive()
        if is_on and not self._was_on:
            self._count += 1
            self._inbox.put(SensorReading(self._count, self._clock.now(), True))
        self._was_on = is_on

    def _ask(self, request: Any, address: int) -> Sequence[Any]:
        count = SENSOR_REGISTERS if self._registers is not None else 1
        answer = answer_to(request, address, client=self._client, unit=self._unit, count=count)
        values = answer.registers if self._registers is not None else answer.bits
        if len(values) < count:
            raise EwasteError(f"address {address}: {len(values)} values instead of {count}")
        return list(values[:count])
