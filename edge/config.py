"""One typed configuration of the line, read from TOML; every key has a default that works."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.belt.gates import GateSpec
from edge.belt.geometry import Geometry
from edge.belt.voting import Voting
from edge.bundle import DEFAULT_BUNDLE, Bundle, open_detector
from edge.decision import MANUAL, DecisionRules, rules_for
from edge.errors import BadInput, first_problem
from edge.install import CURRENT
from edge.signature import check_key

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


GATE_MARGIN_MM = 10.0
Schema = TypeVar("Schema", bound=BaseModel)


class _Section(BaseModel):
    """Part of the configuration; a key that is not known is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CameraConfig(_Section):
    """The camera.

    Attributes:
        source: `simulated`, `picamera2` or `picamera2:1`, a number or /dev/videoN (USB), a URL
            (rtsp://, http://), a video file, or a folder of pictures.
        width, height: of a frame, px. A live camera that gives others is at fault; a file's are
            scaled.
        fps: frames a second to ask for.
        format: pixel format to ask for: four letters such as MJPG (USB), BGR888 or RGB888
            (picamera2); None: what suits best.
        exposure_us: exposure time, µs; None: automatic (picamera2, USB).
        gain: analogue gain; None: automatic (picamera2).
        white_balance: gains of red and blue; None: automatic (picamera2).
        lock: automatic exposure and white balance stay as they are after 2 s (picamera2, USB).
        latency_s: how old a picture is when it arrives, s; network cameras take 0.1 to 0.5.
        stall_s: no good picture for so long is a fault: the gates close.
        restart_s: then the process that reads the camera is replaced.
        give_up_s: then the program ends with exit code 4, for systemd; 0: never.
        frozen_s: identical pictures for so long are a frozen camera; 0: not checked.
    """

    source: str = "simulated"
    width: int = Field(1280, ge=160, le=4096)
    height: int = Field(720, ge=120, le=4096)
    fps: float = Field(30.0, gt=0, le=240)
    format: str | None = None
    exposure_us: int | None = Field(None, gt=0, le=10_000_000)
    gain: float | None = Field(None, ge=1, le=64)
    white_balance: tuple[float, float] | None = None
    lock: bool = False
    latency_s: float = Field(0.0, ge=0, le=5)
    stall_s: float = Field(1.0, ge=0.1, le=60)
    restart_s: float = Field(5.0, ge=1, le=600)
    give_up_s: float = Field(60.0, ge=0, le=86400)
    frozen_s: float = Field(5.0, ge=0, le=3600)

    @model_validator(mode="after")
    def _check_waits(self) -> "CameraConfig":
        given_up = self.give_up_s or float("inf")
        if not self.stall_s < self.restart_s < given_up:
            raise ValueError("stall_s must be less than restart_s, and that less than give_up_s")
        return self


class BeltConfig(_Section):
    """The belt under the camera; items move from the left of the picture to the right.

    Attributes:
        mm_per_px: how much belt one pixel shows.
        speed_mm_s: the usual speed.
        encoder: who tells where the belt is: `camera`, by what it sees of the belt; `pulses` of a
            wheel, checked against the camera; or `time`, at `speed_mm_s`, which cannot see the
            belt stop.
        pulse_pin: GPIO number (BCM) of the pulses.
        pulse_pin_b: of their second channel, which tells the direction; None: there is none.
        mm_per_pulse: how far the belt moves from one pulse to the next.
        fastest_mm_s: pulses that say it is faster are noise; None: twice `speed_mm_s`.
    """

    mm_per_px: float = Field(0.625, gt=0, le=10)
    speed_mm_s: float = Field(250.0, gt=0, le=5000)
    encoder: Literal["camera", "pulses", "time"] = "camera"
    pulse_pin: int | None = Field(None, ge=0, le=27)
    pulse_pin_b: int | None = Field(None, ge=0, le=27)
    mm_per_pulse: float | None = Field(None, gt=0, le=100)
    fastest_mm_s: float | None = Field(None, gt=0, le=10_000)

    @property
    def limit_mm_s(self) -> float:
        """The speed that the belt never exceeds."""
        return self.fastest_mm_s or 2 * self.speed_mm_s

    @model_validator(mode="after")
    def _check_encoder(self) -> "BeltConfig":
        if self.encoder == "pulses" and (self.pulse_pin is None or self.mm_per_pulse is None):
            raise ValueError('encoder = "pulses" needs pulse_pin and mm_per_pulse')
        if self.pulse_pin is None and self.pulse_pin_b is not None:
            raise ValueError("pulse_pin_b needs pulse_pin")
        if self.pulse_pin is not None and self.pulse_pin == self.pulse_pin_b:
            raise ValueError("pulse_pin and pulse_pin_b are the same pin")
        if self.limit_mm_s < self.speed_mm_s:
            raise ValueError("fastest_mm_s is less than speed_mm_s")
        return self


class ClassifierConfig(_Section):
    """The model.

    Attributes:
        bundle: its directory.
        threads: that one inference may use.
        views: how many views of an item are classified before the verdict, at most.
        view_spacing_mm: how far an item travels between two of them.
        vote: `sequential`, no more views once the vote is sure (`edge.belt.voting`), or `fixed`,
            always all of them.
        error: how often a vote may be broken off with the wrong label.
        hazard_error: the same for a hazard that gets another label.
        correlation: of the views of one item, from 0, each tells something new, to 1. The
            intraclass correlation of the margin of the true class was 0.98 to 0.99 on simulated
            belts (drawn items, cards and cut-outs of val); real lines show more change.
    """

    bundle: Path = DEFAULT_BUNDLE
    threads: int = Field(2, ge=1, le=64)
    views: int = Field(3, ge=1, le=20)
    view_spacing_mm: float = Field(100.0, ge=0)
    vote: Literal["sequential", "fixed"] = "sequential"
    error: float = Field(0.05, gt=0, lt=1)
    hazard_error: float = Field(0.005, gt=0, lt=1)
    correlation: float = Field(0.9, ge=0, le=1)

    @property
    def voting(self) -> Voting:
        """When an item is classified, and when that is enough."""
        error = self.error if self.vote == "sequential" else None
        spacing_mm = self.view_spacing_mm
        return Voting(self.views, spacing_mm, error, self.hazard_error, self.correlation)


class TrustConfig(_Section):
    """Whose bundles are accepted.

    Attributes:
        keys: public keys, as `ewaste-edge keygen` prints them; one of them must have signed the
            bundle. None: anyone's, signed or not.
    """

    keys: tuple[Annotated[str, AfterValidator(check_key)], ...] = ()


class DecisionConfig(_Section):
    """What a verdict needs; None and what is not named are as the bundle says.

    Attributes:
        threshold: least confidence for every label.
        thresholds: label -> least confidence for it.
        hazard_suspicion: probability of a hazard from which an item of another label goes to
            `manual`.
        unknown_threshold: score under which an item is like nothing known; -inf turns that off.
    """

    threshold: float | None = Field(None, ge=0, le=1)
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    hazard_suspicion: float | None = Field(None, gt=0, le=1)
    unknown_threshold: float | None = None


class GateConfig(_Section):
    """One gate.

    Attributes:
        bin: that it feeds.
        distance_mm: down the belt from the camera line, the middle of the picture.
        pin: GPIO number (BCM) of its actuator.
        coil: address of its coil in the PLC of `[modbus]`. Neither: there is no wire.
    """

    bin: str
    distance_mm: float = Field(gt=0)
    pin: int | None = Field(None, ge=0, le=27)
    coil: int | None = Field(None, ge=0, le=65535)


class MqttConfig(_Section):
    """The MQTT broker that is told of items and state (`edge.outputs.mqtt`).

    Attributes:
        host, port: of the broker; the port is by default 8883 with TLS and 1883 without.
        name: of this line, unique at the broker.
        topic: under which everything is published.
        user: to log in as; None: without.
        password_file: a file with nothing but the password.
        tls: encrypt, and trust the broker only with a valid certificate.
        ca_file: the certificates to trust (PEM) instead of the system's.
        discovery: the prefix that Home Assistant listens to; None: do not tell it.
        queue: how many items wait while the broker is away.
        state_every_s: how often the state is published, s.
        keepalive_s: a connection that is silent for twice as long is lost, s.
    """

    host: str = Field(min_length=1)
    port: int | None = Field(None, ge=1, le=65535)
    name: str = Field("ewaste-edge", min_length=1, max_length=64)
    topic: str = Field("ewaste-edge", min_length=1, pattern="^[^#+\\x00]+$")
    user: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    discovery: str | None = Field("homeassistant", min_length=1, pattern="^[^#+\\x00]+$")
    queue: int = Field(1000, ge=1, le=100_000)
    state_every_s: float = Field(5.0, ge=0.2, le=3600)
    keepalive_s: int = Field(10, ge=1, le=3600)

    @model_validator(mode="after")
    def _check(self) -> "MqttConfig":
        if self.password_file is not None and self.user is None:
            raise ValueError("password_file needs a user")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file needs tls = true")
        return self

    @property
    def tcp_port(self) -> int:
        """The port that was given, or the usual one."""
        return self.port or (8883 if self.tls else 1883)


class ModbusConfig(_Section):
    """The PLC that moves the gates and takes the counts (`edge.outputs.modbus`).

    Attributes:
        host, port: of the PLC.
        unit: its device id.
        registers: the first of the holding registers that take heartbeat and counts; None: none.
        timeout_s: for an answer, s.
    """

    host: str = Field(min_length=1)
    port: int = Field(502, ge=1, le=65535)
    unit: int = Field(1, ge=0, le=255)
    registers: int | None = Field(None, ge=0, le=65535)
    timeout_s: float = Field(0.5, gt=0, le=10)


class RecordsConfig(_Section):
    """What is recorded, and for how long.

    Attributes:
        days: that a record is kept, at most.
        megabytes: that all records may take, with their pictures; the oldest pictures go first.
        review_margin: an item whose confidence is so little above its threshold is to be reviewed.
        review_share: of the items without any doubt, how many are to be reviewed all the same.
    """

    days: float = Field(365.0, gt=0)
    megabytes: float = Field(2000.0, ge=10)
    review_margin: float = Field(0.1, ge=0, le=1)
    review_share: float = Field(0.01, ge=0, le=1)


class PanelConfig(_Section):
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int = Field(7860, ge=1, le=65535)


def _default_bins() -> dict[str, tuple[str, ...]]:
    return {
        "hazardous": ("Battery",),
        "boards": ("PCB", "Mobile"),
        "small": ("Keyboard", "Mouse", "Player"),
        "screens": ("Television",),
        "appliances": ("Microwave", "Printer", "Washing Machine"),
    }


def _default_gates() -> tuple[GateConfig, ...]:
    return tuple(
        GateConfig(bin=bin, distance_mm=700 + 200 * place)
        for place, bin in enumerate(_default_bins())
    )


class Config(_Section):
    """The whole configuration.

    Attributes:
        bins: bin -> the labels that go there; what is in none goes to `manual`.
        gates: one for each bin but `manual`, which is the end of the belt.
        gate_open_s: the longest a gate stays open at a time, s.
        gate_travel_s: how long a gate swings from closed to open, s.
        state: directory for the records and what the page shows.
        mqtt: None: no broker is told.
        modbus: None: there is no PLC.
    """

    camera: CameraConfig = CameraConfig()
    belt: BeltConfig = BeltConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    trust: TrustConfig = TrustConfig()
    decision: DecisionConfig = DecisionConfig()
    bins: dict[str, tuple[str, ...]] = Field(default_factory=_default_bins)
    gates: tuple[GateConfig, ...] = Field(default_factory=_default_gates)
    gate_open_s: float = Field(3.0, gt=0, le=60)
    gate_travel_s: float = Field(0.1, ge=0, le=5)
    state: Path = Path("~/.local/state/ewaste-edge")
    records: RecordsConfig = RecordsConfig()
    panel: PanelConfig = PanelConfig()
    mqtt: MqttConfig | None = None
    modbus: ModbusConfig | None = None

    @property
    def bundles(self) -> Path:
        """Where bundles are installed (`edge.install`)."""
        return self.state.expanduser() / "bundles"

    @property
    def bundle(self) -> Path:
        """The bundle to run: the one that is named, else the installed, else the shipped one."""
        installed = self.bundles / CURRENT
        if "bundle" in self.classifier.model_fields_set or not installed.exists():
            return self.classifier.bundle
        return installed

    @model_validator(mode="after")
    def _check_bins(self) -> "Config":
        labels = [label for bin_labels in self.bins.values() for label in bin_labels]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        gated = [gate.bin for gate in self.gates]
        if twice:
            raise ValueError(f"in two bins at once: {', '.join(twice)}")
        if MANUAL in self.bins or MANUAL in gated:
            raise ValueError("manual is the end of the belt: it takes no labels and no gate")
        if sorted(gated) != sorted(self.bins):
            raise ValueError("every bin needs exactly one gate of its name, every gate a bin")
        return self

    @model_validator(mode="after")
    def _check_wires(self) -> "Config":
        for kind in ("pin", "coil"):
            wires = [wire for gate in self.gates if (wire := getattr(gate, kind)) is not None]
            if len(set(wires)) < len(wires):
                raise ValueError(f"two gates have the same {kind}")
            if kind == "pin" and {self.belt.pulse_pin, self.belt.pulse_pin_b} & set(wires):
                raise ValueError("a gate and the encoder have the same pin")
            if wires and len(wires) < len(self.gates):
                raise ValueError(f"some gates have a {kind} and some have none; all or none")
        if any(gate.coil is not None for gate in self.gates):
            if self.modbus is None:
                raise ValueError("gates with a coil need the PLC's address in [modbus]")
            if any(gate.pin is not None for gate in self.gates):
                raise ValueError("gates have a pin or a coil, not both")
        return self

    @property
    def geometry(self) -> Geometry:
        """What the camera shows of the belt."""
        return Geometry(self.camera.width, self.camera.height, self.belt.mm_per_px)

    @property
    def bin_of(self) -> dict[str, str]:
        """The bin of each label."""
        return {label: name for name, labels in self.bins.items() for label in labels}

    @property
    def gate_lead_mm(self) -> float:
        """How far before an item its gate opens, and behind it closes.

        What the belt moves while the gate swings and a frame passes, and what positions are wrong
        by.
        """
        return GATE_MARGIN_MM + self.belt.speed_mm_s * (self.gate_travel_s + 1 / self.camera.fps)

    @property
    def gate_specs(self) -> tuple[GateSpec, ...]:
        """The gates as the schedule needs them."""
        return tuple(GateSpec(gate.bin, gate.distance_mm) for gate in self.gates)


def read_config(path: Path | None) -> Config:
    """Read the configuration from a TOML file (or .json); without one, the defaults.

    Raises:
        BadInput: no such file, no TOML, or a key that is unknown or out of its range.
    """
    return Config() if path is None else read_toml(path, Config)


def read_toml(path: Path, schema: type[Schema]) -> Schema:
    """Read a TOML file (a JSON file if it is called .json) by a pydantic schema.

    Raises:
        BadInput: no such file, not of this format, or a key that is unknown or out of its range.
    """
    parse = json.loads if path.suffix == ".json" else tomllib.loads
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise BadInput(f"{path}: not valid TOML ({error})") from None
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{path}: {first_problem(error)}") from None


def bin_of(config: Config, bundle: Bundle) -> dict[str, str]:
    """The bin of each label: as configured, else as the bundle says, else by default.

    Raises:
        BadInput: the bundle's bins have no gates on this line.
    """
    bins = bundle.manifest.bins
    if not bins or "bins" in config.model_fields_set:
        return config.bin_of
    gateless = sorted(set(bins) - {gate.bin for gate in config.gates})
    if gateless:
        raise BadInput(
            f"{bundle.path}: sorts into {', '.join(gateless)}, which have no gate here; "
            "set [bins] and [[gates]] in the configuration"
        )
    return {label: name for name, labels in bins.items() for label in labels}


def decision_rules(config: Config, bundle: Bundle) -> DecisionRules:
    """The rules for this bundle's classes; the default bins take those of them that they know.

    Raises:
        BadInput: a configured bin or threshold is of a label that the bundle's model does not know,
            or the bundle's bins have no gates.
        Refused: the data of its unknown detector are malformed.
    """
    given = config.decision
    strange = sorted(set(config.bin_of) - set(bundle.labels))
    for key, wrong in (
        ("bins", strange if "bins" in config.model_fields_set else []),
        ("decision.thresholds", sorted(set(given.thresholds) - set(bundle.labels))),
    ):
        if wrong:
            raise BadInput(
                f"{bundle.path}: the model knows no {', '.join(wrong)}; "
                f"its classes are {', '.join(bundle.labels)}; change [{key}] in the configuration"
            )
    rules = rules_for(bundle.manifest, bin_of(config, bundle), open_detector(bundle))
    if given.threshold is not None:
        rules = replace(rules, thresholds=dict.fromkeys(bundle.labels, given.threshold))
    if given.hazard_suspicion is not None:
        rules = replace(rules, suspicion=dict.fromkeys(rules.suspicion, given.hazard_suspicion))
    if given.unknown_threshold is not None and rules.unknown is not None:
        rule = rules.unknown.rule.model_copy(update={"threshold": given.unknown_threshold})
        rules = replace(rules, unknown=replace(rules.unknown, rule=rule))
    return replace(rules, thresholds={**rules.thresholds, **given.thresholds})
