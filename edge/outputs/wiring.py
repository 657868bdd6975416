"""The outputs that the configuration of a line names."""

from edge.config import Config
from edge.fleet.own import OwnReports
from edge.gates.driven import DrivenGates
from edge.gates.gpio import GpioPins
from edge.gates.null import NullGates
from edge.gates.output import GateOutput
from edge.labels import MANUAL
from edge.output_thread import OutputStatus, OutputThread
from edge.outputs.announced import ANNOUNCED
from edge.outputs.modbus import ModbusPlc
from edge.outputs.mqtt import MqttLink, Outbox
from edge.records.record import ItemRecord
from edge.status import Status

MQTT_LONGEST_PAUSE_S = 10.0


class Outputs:
    """The gates, the PLC, and the MQTT broker; no method makes the caller wait.

    Attributes:
        gates: moves the gates of the configuration; all are closed at the start.
        wired: whether a wire leads to them.
    """

    def __init__(self, config: Config) -> None:
        """Start the threads of the outputs, which try again until they reach them.

        Args:
            config: names the outputs.

        Raises:
            BadInput: a package is not installed, or a pin or a file cannot be used.
        """
        bins = (*config.bins, MANUAL)
        pins = {gate.bin: gate.pin for gate in config.gates if gate.pin is not None}
        coils = {gate.bin: gate.coil for gate in config.gates if gate.coil is not None}
        self._outbox: Outbox | None = None
        self._plc: ModbusPlc | None = None
        self._pins: GpioPins | None = None
        self._driven: list[DrivenGates] = []
        self._mqtt: OutputThread | None = None
        self.gates: GateOutput = NullGates(config.bins)
        self.wired = bool(pins or coils)
        if pins:
            self._pins = GpioPins(pins, simulated=config.simulated)
            self._driven.append(DrivenGates("GPIO", pins, self._pins))
        if config.modbus is not None:
            self._plc = ModbusPlc(config.modbus, coils, bins)
            name = f"PLC {config.modbus.host}:{config.modbus.port}"
            self._driven.append(DrivenGates(name, coils, self._plc))
        if pins or coils:
            self.gates = self._driven[0 if pins else -1]
        if config.mqtt is not None:
            self._outbox = Outbox(config.mqtt.queue)
            remembered = config.state_folder / ANNOUNCED
            board = OwnReports(config)
            link = MqttLink(config.mqtt, self._outbox, bins, remembered, board)
            name = f"MQTT {config.mqtt.host}:{config.mqtt.tcp_port}"
            self._mqtt = OutputThread(name, link, MQTT_LONGEST_PAUSE_S)

    @property
    def statuses(self) -> tuple[OutputStatus, ...]:
        """Return the status of each output."""
        threads: list[DrivenGates | OutputThread] = [
            *self._driven,
            *([self._mqtt] if self._mqtt else []),
        ]
        return tuple(thread.status for thread in threads)

    def item(self, record: ItemRecord) -> None:
        """Send an item to the outputs; returns at once."""
        if self._outbox is not None:
            self._outbox.put(record)

    def show(self, status: Status) -> None:
        """Send the status of the line, and that it works, to the outputs; returns at once."""
        for driven in self._driven:
            driven.alive()
        for receiver in (self._outbox, self._plc):
            if receiver is not None:
                receiver.show(status)

    def close(self) -> None:
        """Close all gates, deliver what is left within seconds, and disconnect; may be repeated."""
        for driven in self._driven:
            driven.release()
        if self._mqtt is not None:
            self._mqtt.close()
        if self._pins is not None:
            self._pins.release()
