"""One typed configuration of the line, read from TOML; every key has a default that works."""

import json
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.functional_validators import PlainValidator

from edge.alarms.signals import AlarmLimits
from edge.belt.geometry import Geometry
from edge.belt.touching import LONGEST_ITEM_MM
from edge.board import host_name
from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle, read_bundle
from edge.bundle.install import CURRENT
from edge.bundle.signature import check_key
from edge.bundle.sizes import TYPICAL_SIZES, SizeDistribution
from edge.bundle.verify import Demands, Verification, verify
from edge.bundle.window import check_window
from edge.cameras.device import DeviceSettings, shown_source
from edge.cameras.recovery import Patience
from edge.decision.decide import DecisionRules, rules_for
from edge.decision.sensing import SensorRule
from edge.decision.voting import Voting
from edge.errors import BadInput, EwasteError, first_problem, one_line
from edge.files import read_text
from edge.gates.schedule import GateSpec
from edge.inference.backend import DEFAULT_BACKEND, Backend, Delegate
from edge.inference.classifier import Classifier
from edge.labels import MANUAL, hazard_notes, near_labels
from edge.learned.adapted import Adapter, with_taught, with_unknown_threshold
from edge.learned.manifest import LearnedManifest
from edge.learned.store import LEARNED_NAME
from edge.limits import (
    AnyPath,
    BinName,
    Format,
    Gain,
    Host,
    Name,
    Pin,
    Port,
    RepositoryUrl,
    Share,
    Source,
    Text,
    Topic,
    bounded,
    folded,
    nfc,
    whole,
    within,
)
from edge.readers import line_user, readable_by_others
from edge.runtimes.choice import DEFAULT_THREADS, Choice, Why, choose
from edge.runtimes.kept import CHOICE_NAME

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

log = logging.getLogger(__name__)

GATE_MARGIN_MM = 10.0
MOST_LEAD_MM = 5000.0
"""A gate that has to open so far ahead of an item opens on others."""
SHORTEST_VIEW_MM, LONGEST_VIEW_MM = 50, 20_000
MOST_BINS = 50
"""So many that heartbeat and counts go over Modbus in one request (123 registers)."""
MOST_LABELS = 1000
MOST_SENSORS, SENSOR_REGISTERS = 20, 4
LARGEST_FILE = 1_000_000
"""Bytes of a configuration."""
MOST_DOTS = 500
"""In a line of TOML: tomllib takes hours for a key of a hundred thousand parts."""
LEAST_PROBATION = 50
"""Fewer items than this tell no bundle from another."""
OFF = "off"
Delay = Annotated[float, within(0, 5)]
Schema = TypeVar("Schema", bound=BaseModel)


class _Section(BaseModel):
    """Part of the configuration; a key that is not known is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _off_is_none(value: Any) -> Any:
    """TOML has no None: `off` stands for it."""
    return None if value == OFF else value


def _unknown_threshold(value: Any) -> float | str | None:
    """A score in its range; `off`, for which -inf stood before; None."""
    if value is None or value == OFF or value == -math.inf:
        return None if value is None else OFF
    return bounded(value, -1e9, 1e9, f'a number from -1e9 to 1e9, or "{OFF}"')


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
        gain: analog gain; None: automatic (picamera2).
        white_balance: gains of red and blue; None: automatic (picamera2).
        lock: automatic exposure and white balance stay as they are after 2 s (picamera2, USB).
        latency_s: how old a picture is when it arrives, s; network cameras take 0.1 to 0.5.
        stall_s: no good picture for so long is a fault: the gates close.
        restart_s: then the process that reads the camera is replaced.
        give_up_s: then the program ends with exit code 4, for systemd; 0: never.
        frozen_s: identical pictures for so long are a frozen camera; 0: not checked.
    """

    source: Source = "simulated"
    width: Annotated[int, whole(160, 4096)] = 1280
    height: Annotated[int, whole(120, 4096)] = 720
    fps: Annotated[float, within(0.1, 240)] = 30.0
    format: Format | None = None
    exposure_us: Annotated[int, whole(1, 10_000_000)] | None = None
    gain: Annotated[float, within(1, 64)] | None = None
    white_balance: tuple[Gain, Gain] | None = None
    lock: bool = False
    latency_s: Annotated[float, within(0, 5)] = 0.0
    stall_s: Annotated[float, within(0.1, 60)] = 1.0
    restart_s: Annotated[float, within(1, 600)] = 5.0
    give_up_s: Annotated[float, within(0, 86400)] = 60.0
    frozen_s: Annotated[float, within(0, 3600)] = 5.0

    @model_validator(mode="after")
    def _check_waits(self) -> "CameraConfig":
        given_up = self.give_up_s or math.inf
        if not self.stall_s < self.restart_s < given_up:
            raise ValueError("stall_s must be less than restart_s, and that less than give_up_s")
        return self


class BeltConfig(_Section):
    """The belt under the camera; items move from the left of the picture to the right.

    Attributes:
        mm_per_px: how much belt one pixel shows. Where it is set, and so was measured, the typical
            sizes of the shipped classes hold (`edge.bundle.sizes`).
        longest_item_mm: what is longer cannot be one item; None: 260, or more where the sizes of
            the classes say so.
        speed_mm_s: the usual speed.
        encoder: who tells where the belt is: `camera`, by what it sees of the belt; `pulses` of a
            wheel, checked against the camera; or `time`, at `speed_mm_s`, which cannot see the
            belt stop.
        pulse_pin: GPIO number (BCM) of the pulses.
        pulse_pin_b: of their second channel, which tells the direction; None: there is none.
        mm_per_pulse: how far the belt moves from one pulse to the next.
        fastest_mm_s: pulses that say it is faster are noise; None: twice `speed_mm_s`.
    """

    mm_per_px: Annotated[float, within(0.05, 10)] = 0.625
    longest_item_mm: Annotated[float, within(25, 20_000)] | None = None
    speed_mm_s: Annotated[float, within(1, 5000)] = 250.0
    encoder: Literal["camera", "pulses", "time"] = "camera"
    pulse_pin: Pin | None = None
    pulse_pin_b: Pin | None = None
    mm_per_pulse: Annotated[float, within(0.001, 100)] | None = None
    fastest_mm_s: Annotated[float, within(1, 10_000)] | None = None

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
        threads: that one inference uses. Where it is not set, `ewaste-edge select-runtime` may
            choose another number.
        delegate: file of an external delegate of TFLite, which computes a part of the model on
            other hardware; None: there is none.
        delegate_options: its options, name -> value, as its maker describes them.
        views: how many views of an item are classified before the verdict, at most.
        view_spacing_mm: how far an item travels between two of them.
        vote: `sequential`, no more views once the vote is sure (`edge.decision.voting`), or
            `fixed`, always all of them.
        error: how often a vote may be broken off with the wrong label.
        hazard_error: the same for a hazard that gets another label.
        correlation: of the views of one item, from 0, each tells something new, to 1. The
            intraclass correlation of the margin of the true class was 0.98 to 0.99 on simulated
            belts (drawn items, cards and cut-outs of val); real lines show more change.
    """

    bundle: AnyPath = DEFAULT_BUNDLE
    threads: Annotated[int, whole(1, 64)] = DEFAULT_THREADS
    delegate: AnyPath | None = None
    delegate_options: dict[Name, Text] = Field(default={}, max_length=MOST_BINS)
    views: Annotated[int, whole(1, 20)] = 3
    view_spacing_mm: Annotated[float, within(0, 10_000)] = 100.0
    vote: Literal["sequential", "fixed"] = "sequential"
    error: Annotated[float, within(1e-6, 0.999)] = 0.05
    hazard_error: Annotated[float, within(1e-6, 0.999)] = 0.005
    correlation: Share = 0.9

    @model_validator(mode="after")
    def _check_delegate(self) -> "ClassifierConfig":
        if self.delegate_options and self.delegate is None:
            raise ValueError("delegate_options needs a delegate")
        return self

    @property
    def backend(self) -> Backend:
        """What computes a model that nothing was measured with."""
        if self.delegate is None:
            return DEFAULT_BACKEND
        return Backend(None, Delegate(self.delegate, tuple(self.delegate_options.items())))

    @property
    def given_threads(self) -> int | None:
        """The threads that were set; None: none were."""
        return self.threads if "threads" in self.model_fields_set else None

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
        require_hazards: classes that a bundle must know, as hazards.
        minimum_agreement: least share of images with the same top answer, quantized and Keras, by
            a bundle's figures and by the gate that it was judged by.
    """

    keys: tuple[Annotated[str, Field(max_length=200), AfterValidator(check_key)], ...] = Field(
        default=(), max_length=100
    )
    require_hazards: tuple[Name, ...] = Field(default=(), max_length=100)
    minimum_agreement: Share = 0.0

    @property
    def demands(self) -> Demands:
        """What a bundle must be besides signed."""
        return Demands(self.require_hazards, self.minimum_agreement)


class LearningConfig(_Section):
    """Whose taught classes this board takes.

    Attributes:
        keys: public keys of other boards, as `ewaste-edge learned key` prints them there; one of
            them, or of [trust] keys, must have signed what `ewaste-edge learned import` takes.
    """

    keys: tuple[Annotated[str, Field(max_length=200), AfterValidator(check_key)], ...] = Field(
        default=(), max_length=1000
    )


class UpdateConfig(_Section):
    """Where bundles come from, and how one that is installed comes into use on a running line.

    Attributes:
        repository: address of the TUF repository that `ewaste-edge update` asks: `https://`,
            `http://`, or `file://`. What it serves is signed, so plain HTTP is no danger.
        ring: of this board: `canary`, which gets a bundle first, or `all`.
        root: file with the root metadata of the repository, which the board trusts first of all:
            `metadata/1.root.json` of the repository, brought here by a trusted way.
        program: the board pulls the program too, as root (`ewaste-program.timer`): who may publish
            may then change what root runs here.
        timeout_s: that asking and downloading may take together, s.
        window: the part of the day in which a running line may exchange its bundle while the belt
            moves, in local time, such as `22:00-05:00`, or `always`; empty: only while the belt
            stands, which takes an encoder that measures.
        probation_items: number of its first items by which a bundle is compared with the one
            before it (`edge.probation`); 0: it is not.
        probation_hours: that the comparison lasts, at most.
    """

    repository: RepositoryUrl | None = None
    ring: Literal["canary", "all"] = "all"
    root: AnyPath | None = None
    program: bool = False
    timeout_s: Annotated[float, within(1, 86_400)] = 900.0
    window: Annotated[str, Field(max_length=40), AfterValidator(check_window)] = ""
    probation_items: Annotated[int, whole(0, 10_000)] = 200
    probation_hours: Annotated[float, within(0.01, 720)] = 24.0

    @model_validator(mode="after")
    def _check(self) -> "UpdateConfig":
        if (self.repository is None) != (self.root is None):
            raise ValueError("repository and root need each other")
        if self.program and self.repository is None:
            raise ValueError("program = true needs a repository")
        if 0 < self.probation_items < LEAST_PROBATION:
            raise ValueError(f"probation_items must be 0, or at least {LEAST_PROBATION}")
        return self


class DecisionConfig(_Section):
    """What a verdict needs; None and what is not named are as the bundle says.

    Attributes:
        threshold: least confidence for every label.
        thresholds: label -> least confidence for it.
        hazard_threshold: probability of a hazard from which an item of another label goes to
            `manual`.
        unknown_threshold: score under which an item is like nothing known; "off": nothing is.
        sizes: whether the size of an item has a say (`edge.decision.size`): `auto`, as far as it is
            known how large the items of a class are, or `off`.
    """

    threshold: Share | None = None
    thresholds: dict[Name, Share] = Field(default={}, max_length=MOST_LABELS)
    hazard_threshold: Annotated[float, within(1e-6, 1)] | None = None
    unknown_threshold: Annotated[
        float | Literal["off"] | None,
        PlainValidator(_unknown_threshold),
        WithJsonSchema(
            {"anyOf": [{"type": "number", "minimum": -1e9, "maximum": 1e9}, {"const": OFF}]}
        ),
    ] = None
    sizes: Literal["auto", "off"] = "auto"


class GateConfig(_Section):
    """One gate.

    Attributes:
        bin: that it feeds.
        distance_mm: down the belt from the camera line, the middle of the picture.
        pin: GPIO number (BCM) of its actuator.
        coil: address of its coil in the PLC of `[modbus]`. Neither: there is no wire.
    """

    bin: BinName
    distance_mm: Annotated[float, within(1, 100_000)]
    pin: Pin | None = None
    coil: Annotated[int, whole(0, 65535)] | None = None


class MqttConfig(_Section):
    """The MQTT broker that gets items and state (`edge.outputs.mqtt`).

    Attributes:
        host, port: of the broker; the port is by default 8883 with TLS and 1883 without.
        name: of this line, unique at the broker; None: that of the host.
        topic: under which everything is published.
        user: to log in as; None: without.
        password_file: a file with nothing but the password.
        tls: encrypt, and trust the broker only with a valid certificate.
        ca_file: the certificates to trust (PEM) instead of the system's.
        discovery: the topic prefix that Home Assistant listens to; "off": do not tell it.
        queue: how many items wait while the broker is away.
        state_every_s: how often the state is published, s.
        keepalive_s: a connection that is silent for twice as long is lost, s.
    """

    host: Host
    port: Port | None = None
    name: Annotated[Name, Field(max_length=64)] | None = None
    topic: Topic = "ewaste-edge"
    user: Text | None = None
    password_file: AnyPath | None = None
    tls: bool = False
    ca_file: AnyPath | None = None
    discovery: Annotated[Topic | None, BeforeValidator(_off_is_none)] = "homeassistant"
    queue: Annotated[int, whole(1, 100_000)] = 1000
    state_every_s: Annotated[float, within(0.2, 3600)] = 5.0
    keepalive_s: Annotated[int, whole(1, 3600)] = 10

    @model_validator(mode="after")
    def _check(self) -> "MqttConfig":
        if self.password_file is not None and self.user is None:
            raise ValueError("password_file needs a user")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file needs tls = true")
        return self

    @property
    def line_name(self) -> str:
        """The name of this line at the broker: the given one, or that of the host."""
        return self.name or host_name()

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

    host: Host
    port: Port = 502
    unit: Annotated[int, whole(0, 255)] = 1
    registers: Annotated[int, whole(0, 65535)] | None = None
    timeout_s: Annotated[float, within(0.01, 10)] = 0.5


class SensorConfig(_Section):
    """Another sensor beside the belt, whose answer enters the vote (`edge.sensors`).

    Attributes:
        name: of the sensor: up to 40 letters, digits, `-`, and `_`.
        kind: what it is, for people.
        topic: that it publishes its readings under, at the broker of `[mqtt]`.
        registers: the first of its four holding registers (`edge.sensors.modbus`).
        coil: that is 1 while it finds something.
        pin: GPIO number (BCM) that its contact pulls to ground while it finds something. A sensor
            has a topic, registers, a coil, or a pin; the last two can clear no item.
        host: of its Modbus device; None: it is the PLC of `[modbus]`.
        port: of the device of `host`.
        unit: the id of that device.
        poll_s: time between two looks at registers or coil, s.
        distance_mm: where it is, down the belt from the camera line; negative: before the camera.
        window_mm: how far its reading may be from an item.
        delay_s: the shortest and the longest time from an item at the sensor to its reading, s.
        finds: a class of the model, or the name of a hazard that no picture shows.
        inside: the classes whose items may hold that hazard; empty: `finds` is a class.
        least_value: from which measured value on something was found; None: the sensor says so.
        found: how often it finds what is there; `ewaste-edge sensor-rates` measures it.
        false_alarms: how often it finds what is not there.
        share: how many items of the classes `inside` hold the hazard.
        threshold: the probability of the hazard from which an item goes to `bin`.
        bin: where it goes then; None: `manual`.
        required: without its answer the items that it guards go to `manual`.
        guards: the classes of these items; empty: those of `inside`, or all.
        silent_s: so long without a sign of life, and the sensor is at fault.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
    kind: Literal["metal", "xray", "scale", "other"] = "other"
    topic: Topic | None = None
    registers: Annotated[int, whole(0, 65532)] | None = None
    coil: Annotated[int, whole(0, 65535)] | None = None
    pin: Pin | None = None
    host: Host | None = None
    port: Port = 502
    unit: Annotated[int, whole(0, 255)] = 1
    poll_s: Annotated[float, within(0.01, 10)] = 0.05
    distance_mm: Annotated[float, within(-100_000, 100_000)]
    window_mm: Annotated[float, within(0, 1000)] = 30.0
    delay_s: tuple[Delay, Delay] = (0.0, 0.3)
    finds: Name
    inside: tuple[Name, ...] = Field(default=(), max_length=MOST_LABELS)
    least_value: Annotated[float, within(-1e9, 1e9)] | None = None
    found: Annotated[float, within(0.001, 0.999)] = 0.9
    false_alarms: Annotated[float, within(0.001, 0.999)] = 0.1
    share: Share = 0.5
    threshold: Annotated[float, within(1e-6, 1)] = 0.3
    bin: BinName | None = None
    required: bool = False
    guards: tuple[Name, ...] = Field(default=(), max_length=MOST_LABELS)
    silent_s: Annotated[float, within(0.5, 3600)] = 10.0

    @model_validator(mode="after")
    def _check(self) -> "SensorConfig":
        ways = (self.topic, self.registers, self.coil, self.pin)
        if sum(way is not None for way in ways) != 1:
            raise ValueError(f"{self.name} needs a topic, registers, a coil, or a pin; one of them")
        if self.delay_s[0] > self.delay_s[1]:
            raise ValueError("delay_s must be two times, the shorter one first")
        if self.false_alarms >= self.found:
            raise ValueError("false_alarms must be less than found: else its answer says nothing")
        if self.required and (self.coil is not None or self.pin is not None):
            raise ValueError(
                "required needs a topic or registers: a coil or a pin that says nothing may be a "
                "wire that is cut"
            )
        if self.bin is not None and not self.inside:
            raise ValueError("bin needs inside: a class has its bin in [bins]")
        if self.guards and not self.required:
            raise ValueError("guards needs required = true")
        return self

    @property
    def is_modbus(self) -> bool:
        """Whether it is asked over Modbus."""
        return self.registers is not None or self.coil is not None


class RecordsConfig(_Section):
    """What is recorded, and for how long.

    Attributes:
        days: that a record is kept, at most.
        megabytes: that all records may take, with their pictures; the oldest pictures go first.
        review_margin: an item whose confidence is so little above its threshold is to be reviewed.
        review_share: of all items, doubtful or not, how many are drawn for review at random.
    """

    days: Annotated[float, within(0.01, 36_500)] = 365.0
    megabytes: Annotated[float, within(10, 1_000_000)] = 2000.0
    review_margin: Share = 0.1
    review_share: Share = 0.01


class PanelConfig(_Section):
    """Where the page is served, and to whom.

    Attributes:
        host, port: address and TCP port to listen on. A host that others reach needs a user.
        hosts: further names that the page is asked by, such as that of a proxy in front of it.
        root_path: the path a proxy serves the page below, such as `/line1`, unless the proxy says
            so itself (X-Forwarded-Prefix).
        proxies: addresses of proxies on other machines that say where a request came from
            (X-Forwarded-For, X-Forwarded-Proto); one on this machine is trusted anyhow.
        users_file: the file of users, which `ewaste-edge user` writes; by default users.json in the
            state folder.
        user: one operator besides those users; without any, whoever can reach the page sees it.
        password_file: a file with nothing but the password of `user`.
        language: of the page for visitors who chose none and whose browser names none of these.
    """

    host: Host = "127.0.0.1"
    port: Port = 7860
    hosts: tuple[Host, ...] = Field(default=(), max_length=MOST_BINS)
    root_path: str = Field(default="", pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){0,8}$")
    proxies: tuple[Host, ...] = Field(default=(), max_length=MOST_BINS)
    users_file: AnyPath | None = None
    user: str | None = Field(default=None, pattern=r"^[^:\x00-\x1f]{1,64}$")
    password_file: AnyPath | None = None
    language: Literal["en", "de", "es", "hi"] = "en"

    @model_validator(mode="after")
    def _check(self) -> "PanelConfig":
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file need each other")
        return self


class AlarmsConfig(_Section):
    """What the page raises an alarm at (`edge.alarms`); the rest is fixed, see docs/alarms.md.

    Attributes:
        purity: the purity of a bin that its audit must not lie under with all of its interval.
        purities: bin -> its own such purity.
        disk_free: the share of the disk of the records that must be free.
        temperature_c: of the board, degrees Celsius.
    """

    purity: Share = 0.9
    purities: dict[BinName, Share] = Field(default={}, max_length=MOST_BINS)
    disk_free: Annotated[float, within(0, 0.9)] = 0.05
    temperature_c: Annotated[float, within(20, 120)] = 80.0

    @property
    def limits(self) -> AlarmLimits:
        """The same for the alarms."""
        return AlarmLimits(self.disk_free, self.temperature_c, self.purity, self.purities)


def registers_for(bins: int) -> int:
    """How many holding registers take heartbeat, running, and the counts of so many bins."""
    return 2 + 2 * (3 + bins)


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
        GateConfig(bin=bin_name, distance_mm=700 + 200 * place)
        for place, bin_name in enumerate(_default_bins())
    )


class Config(_Section):
    """The whole configuration.

    Attributes:
        bins: bin -> the labels that go there; what is in none goes to `manual`.
        gates: one for each bin but `manual`, which is the end of the belt.
        sizes: label -> the median and the spread of the longer side of its items; what is not named
            is as the bundle says.
        gate_open_s: the longest a gate stays open at a time, s.
        gate_travel_s: how long a gate swings from closed to open, s.
        simulated: whether pins of gates and encoder are simulated on a machine that has none;
            otherwise such a pin is an error at the start.
        state: directory for the records and what the page shows.
        mqtt: None: nothing is published.
        modbus: None: there is no PLC.
        sensors: other sensors beside the belt that enter the vote.
    """

    camera: CameraConfig = CameraConfig()
    belt: BeltConfig = BeltConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    trust: TrustConfig = TrustConfig()
    learning: LearningConfig = LearningConfig()
    update: UpdateConfig = UpdateConfig()
    decision: DecisionConfig = DecisionConfig()
    bins: dict[BinName, Annotated[tuple[Name, ...], Field(max_length=MOST_LABELS)]] = Field(
        default_factory=_default_bins, max_length=MOST_BINS
    )
    gates: tuple[GateConfig, ...] = Field(default_factory=_default_gates, max_length=MOST_BINS)
    sizes: dict[Name, SizeDistribution] = Field(default={}, max_length=MOST_LABELS)
    gate_open_s: Annotated[float, within(0.05, 60)] = 3.0
    gate_travel_s: Annotated[float, within(0, 5)] = 0.1
    simulated: bool = False
    state: AnyPath = Path("~/.local/state/ewaste-edge")
    records: RecordsConfig = RecordsConfig()
    panel: PanelConfig = PanelConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    mqtt: MqttConfig | None = None
    modbus: ModbusConfig | None = None
    sensors: tuple[SensorConfig, ...] = Field(default=(), max_length=MOST_SENSORS)

    @property
    def bundles(self) -> Path:
        """Where bundles are installed (`edge.bundle.install`)."""
        return self.state_folder / "bundles"

    @property
    def learned(self) -> Path:
        """What the device has learned beside its bundle (`edge.learned.store`)."""
        return self.state_folder / LEARNED_NAME

    @property
    def updates(self) -> Path:
        """What `ewaste-edge update` knows of its repository (`edge.update`)."""
        return self.state_folder / "update"

    @property
    def runtime_file(self) -> Path:
        """What was measured of the runtimes on this board (`edge.runtimes`)."""
        return self.state_folder / CHOICE_NAME

    @property
    def follows_installs(self) -> bool:
        """Whether the line runs what is installed: no other bundle is named."""
        return "bundle" not in self.classifier.model_fields_set

    @property
    def state_folder(self) -> Path:
        """The directory for the records and what the page shows.

        Raises:
            BadInput: it is to be in a home folder, and the user has none.
        """
        try:
            return self.state.expanduser()
        except RuntimeError:
            raise BadInput(
                f"{self.state}: there is no such home folder; set another --state"
            ) from None

    @property
    def bundle(self) -> Path:
        """The bundle to run: the one that is named, else the installed, else the shipped one."""
        if not self.follows_installs:
            return self.classifier.bundle
        try:
            installed = self.bundles / CURRENT
            installed.lstat()
        except BadInput:
            return self.classifier.bundle  # a user without a home folder has installed none
        except (FileNotFoundError, NotADirectoryError):
            return self.classifier.bundle
        except OSError:
            pass  # it is there, or may be: another model must not run in silence
        return installed

    @model_validator(mode="after")
    def _check_bins(self) -> "Config":
        labels = [label for bin_labels in self.bins.values() for label in bin_labels]
        if twice := sorted(label for label, count in Counter(labels).items() if count > 1):
            raise ValueError(f"in two bins at once: {', '.join(twice)}")
        for kind, names in (("bins", self.bins), ("labels", labels)):
            if alike := _first_alike(names):
                raise ValueError(f"two {kind} differ only in how they are written: {alike}")
        gated = [gate.bin for gate in self.gates]
        if MANUAL in map(folded, (*self.bins, *gated)):
            raise ValueError("manual is the end of the belt: it takes no labels and no gate")
        if sorted(gated) != sorted(self.bins):
            odd = sorted({*gated} ^ {*self.bins}) or gated
            raise ValueError(
                "every bin needs exactly one gate of its name, every gate a bin; see "
                + ", ".join(odd)
            )
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
        if self.modbus is not None and self.modbus.registers is not None:
            last = self.modbus.registers + registers_for(len(self.bins) + 1) - 1
            if last > 65535:
                raise ValueError(f"modbus.registers: the counts would end at {last}, above 65,535")
        if any(gate.coil is not None for gate in self.gates):
            if self.modbus is None:
                raise ValueError("gates with a coil need the PLC's address in [modbus]")
            if any(gate.pin is not None for gate in self.gates):
                raise ValueError("gates have a pin or a coil, not both")
        return self

    @model_validator(mode="after")
    def _check_sensors(self) -> "Config":
        names = Counter(folded(sensor.name) for sensor in self.sensors)
        if twice := sorted(name for name, count in names.items() if count > 1):
            raise ValueError(f"two sensors are called {', '.join(twice)}")
        taken = [gate.pin for gate in self.gates] + [self.belt.pulse_pin, self.belt.pulse_pin_b]
        pins = [sensor.pin for sensor in self.sensors if sensor.pin is not None]
        if len(set(pins)) < len(pins) or set(pins) & set(taken):
            raise ValueError("a sensor and something else have the same pin")
        hazards: dict[str, tuple[object, ...]] = {}
        for sensor in self.sensors:
            self._check_sensor(sensor)
            same = sensor.inside, sensor.share, sensor.threshold, sensor.bin
            if hazards.setdefault(sensor.finds, same) != same:
                raise ValueError(
                    f"sensors: those that find {sensor.finds} must have the same inside, share, "
                    "threshold, and bin"
                )
        return self

    def _check_sensor(self, sensor: SensorConfig) -> None:
        if sensor.topic is not None and self.mqtt is None:
            raise ValueError(f"sensors: {sensor.name} has a topic, which needs a broker in [mqtt]")
        if sensor.is_modbus and sensor.host is None and self.modbus is None:
            raise ValueError(f"sensors: {sensor.name} needs a host, or the PLC of [modbus]")
        plc = self.modbus.registers if self.modbus is not None and sensor.host is None else None
        if sensor.registers is not None and plc is not None:
            end = plc + registers_for(len(self.bins) + 1)
            if plc - SENSOR_REGISTERS < sensor.registers < end:
                raise ValueError(f"sensors: {sensor.name}: the line writes to its registers")
        if sensor.bin is not None and sensor.bin not in self.bins:
            raise ValueError(f"sensors: {sensor.name}: there is no bin {sensor.bin}")
        if self.gates and self.longest_heard_mm(sensor) <= 0:
            raise ValueError(
                f"sensors: {sensor.name} at {sensor.distance_mm:,.0f} mm answers too late for the "
                f"nearest gate by {-self.longest_heard_mm(sensor):,.0f} mm; move it up the belt, "
                "or the gate down"
            )

    def longest_heard_mm(self, sensor: SensorConfig) -> float:
        """The longest item whose verdict can wait for a sensor, mm; without gates, without end.

        The verdict must fall before the nearest gate opens for the item. The answer is there when
        the end of the item, and a window more, is past the sensor and the longest delay is over;
        two frames later the line has seen to it.
        """
        if not self.gates:
            return math.inf
        nearest_mm = min(gate.distance_mm for gate in self.gates) - self.gate_lead_mm
        waits_s = sensor.delay_s[1] + 3 / self.camera.fps
        past_mm = max(0.0, sensor.distance_mm) + sensor.window_mm
        return nearest_mm - past_mm - self.belt.speed_mm_s * waits_s

    @model_validator(mode="after")
    def _check_motion(self) -> "Config":
        if self.gate_travel_s >= self.gate_open_s:
            raise ValueError("gate_travel_s must be less than gate_open_s: no gate would be open")
        if not SHORTEST_VIEW_MM <= self.geometry.width_mm <= LONGEST_VIEW_MM:
            raise ValueError(
                f"camera.width and belt.mm_per_px make a view of {self.geometry.width_mm:,.0f} mm; "
                f"it must be from {SHORTEST_VIEW_MM:,} to {LONGEST_VIEW_MM:,}"
            )
        if self.gate_lead_mm > MOST_LEAD_MM:
            raise ValueError(
                f"gates would open {self.gate_lead_mm:,.0f} mm ahead of an item, more than "
                f"{MOST_LEAD_MM:,.0f}: see belt.speed_mm_s, camera.fps and gate_travel_s"
            )
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
    text = read_text(path, LARGEST_FILE)
    form = "JSON" if path.suffix == ".json" else "TOML"
    lines = text.split("\n")
    if any(line.count(".") > MOST_DOTS for line in lines if not line.lstrip().startswith("#")):
        raise BadInput(f"{path}: a line with more than {MOST_DOTS} dots is no configuration")
    try:
        content = json.loads(text) if form == "JSON" else tomllib.loads(text)
    except RecursionError:
        raise BadInput(f"{path}: not valid {form} (nested too deeply)") from None
    except ValueError as error:
        raise BadInput(f"{path}: not valid {form} ({one_line(str(error))})") from None
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{path}: {first_problem(error)}") from None


def overruled(config: Config, given: Mapping[str, Any], named: Mapping[str, str]) -> Config:
    """The configuration with other values for some of its keys, checked like those of a file.

    Args:
        config: what holds for everything else.
        given: dotted key -> value.
        named: dotted key -> what the user calls it, for the error.

    Raises:
        BadInput: a value is out of its range, or does not go with the others.
    """
    if not given:
        return config
    content = config.model_dump(exclude_unset=True)
    for key, value in given.items():
        section, _, last = key.rpartition(".")
        (content.setdefault(section, {}) if section else content)[last] = value
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        key, _, message = first_problem(error).partition(": ")
        raise BadInput(f"{named.get(key, key)}: {message}") from None


def readable_secrets(config: Config, path: Path | None) -> list[Path]:
    """Files with a password that other people on this machine than the line's user may read.

    `path` is the configuration's own; None: the camera is not of it.
    """
    source, user = config.camera.source, line_user(config.state_folder)
    secrets = [path] if shown_source(source) != source else []
    secrets += [config.panel.password_file, config.mqtt.password_file if config.mqtt else None]
    found = [file.expanduser() for file in secrets if file is not None]
    return [file for file in found if readable_by_others(file, user=user)]


def page_content(config: Config) -> bytes:
    """The configuration as its page needs it, JSON: without broker, PLC, camera or password."""
    content: dict[str, Any] = {
        "classifier": {"bundle", "threads"},
        "trust": True,
        "decision": True,
        "bins": True,
        "gates": {"__all__": {"bin", "distance_mm"}},
        "belt": {"mm_per_px", "speed_mm_s", "encoder", "mm_per_pulse", "pulse_pin"},
        "sizes": True,
        "state": True,
        "panel": True,
        "alarms": True,
    }
    return json.dumps(
        config.model_dump(exclude_unset=True, include=content), indent=2, default=str
    ).encode()


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


def proved_bundle(
    config: Config, niceness: int = 0, path: Path | None = None
) -> tuple[Bundle, Classifier]:
    """The bundle of a line, verified on this machine as the configuration asks, and its model.

    `niceness` is how far its trial in a process of its own stands back for others, 0 to 19; `path`
    is that of another bundle than the one to run.

    Raises:
        BadInput: there is no bundle.
        Refused: it cannot be proved.
    """
    path = path or config.bundle
    choice = chosen_runtime(config, path)
    if choice.problem:
        log.warning("%s; the default runtime computes: ewaste-edge select-runtime", choice.problem)
    found = _verified(config, path, niceness, choice.backend, choice.threads)
    if not found.ok and choice.backend.runtime is not None:
        failed = found.checks[-1]
        log.warning(
            "%s, which was the quickest, failed the check %r; the default runtime computes",
            choice.backend.runtime,
            failed.name,
        )
        default = config.classifier
        found = _verified(config, path, niceness, default.backend, default.threads)
    return found.require()


def chosen_runtime(config: Config, path: Path) -> Choice:
    """What computes the model of the bundle in `path` on this board, and why.

    Its manifest is read here only where something was measured, and for nothing but this choice:
    what runs is what is read, once, to be verified.
    """
    given = config.classifier
    default = Choice(given.backend, given.threads, Why.NOT_MEASURED)
    try:
        if not os.path.lexists(config.runtime_file):
            return default
        digest = read_bundle(path).digest
    except EwasteError:  # whoever verifies it says so; a user without a home has measured nothing
        return default
    return choose(config.runtime_file, digest, given.given_threads, given.backend.delegate)


def _verified(
    config: Config, path: Path, niceness: int, backend: Backend, threads: int
) -> Verification:
    trust = config.trust
    return verify(
        path,
        trust.keys,
        threads,
        demands=trust.demands,
        niceness=niceness,
        backend=backend,
    )


def name_notes(config: Config, bundle: Bundle) -> list[str]:
    """Warnings about a bundle's labels that are nearly, but not, what the line goes by."""
    notes = hazard_notes(bundle.labels, bundle.manifest.hazards)
    configured = not bundle.manifest.bins or "bins" in config.model_fields_set
    for label, bin_name in config.bin_of.items() if configured else ():
        near = [] if label in bundle.labels else near_labels(label, bundle.labels)
        notes += [
            f"warning: the bin {bin_name} takes {label}, but the class is called {each}, and goes "
            "there only if [bins] in the configuration says so"
            for each in near
        ]
    return notes


def decision_rules(
    config: Config,
    bundle: Bundle,
    learned: LearnedManifest | None = None,
    adapter: Adapter | None = None,
) -> DecisionRules:
    """The rules for this bundle's classes; the default bins take those of them that they know.

    Args:
        config: of the line. What it says of single labels is of the bundle's: a line must start
            with the bundle alone too.
        bundle: it.
        learned: what was learned beside it; None: nothing.
        adapter: what recognizes the classes that were taught; None: none was.

    Raises:
        BadInput: a configured bin, threshold, or size is of a label that the bundle's model does
            not know, or bins of the bundle or of a taught class have no gates.
        Refused: the data of its unknown detector are malformed.
    """
    given = config.decision
    strange = sorted(set(config.bin_of) - set(bundle.labels))
    for key, wrong in (
        ("bins", strange if "bins" in config.model_fields_set else []),
        ("decision.thresholds", sorted(set(given.thresholds) - set(bundle.labels))),
        ("sizes", sorted(set(config.sizes) - set(bundle.labels))),
        ("sensors", sorted(_labels_of_sensors(config) - set(bundle.labels))),
    ):
        if wrong:
            meant = "".join(hint for name in wrong for hint in _meant(name, bundle.labels))
            raise BadInput(
                f"{bundle.path}: the model knows no {', '.join(wrong)}; {meant}"
                f"its classes are {', '.join(bundle.labels)}; change [{key}] in the configuration"
            )
    rules = rules_for(bundle.manifest, bin_of(config, bundle), bundle.detector)
    site = None if learned is None else learned.calibration
    if site is not None:
        parameters = site.applied_to(bundle.manifest)
        rules = rules_for(parameters, rules.bins, rules.ood_detector)
        if parameters.unknown is not None:
            rules = with_unknown_threshold(rules, parameters.unknown.threshold)
    rules = replace(
        _as_configured(config, rules),
        sizes=sizes_of(config, bundle),
        touching=bundle.touching,
        sensors=tuple(sensor_rule(sensor, bundle.labels) for sensor in config.sensors),
    )
    if learned is None or adapter is None:
        return rules
    for each in learned.classes:
        check_bin(config, each.label, each.bin)
    return with_taught(rules, learned, adapter, given.threshold, given.hazard_threshold)


def check_bin(config: Config, label: str, bin_name: str | None) -> None:
    """See that the bin of a taught class has a gate.

    Raises:
        BadInput: it has none.
    """
    gated = sorted(gate.bin for gate in config.gates)
    if bin_name is not None and bin_name not in gated:
        raise BadInput(
            f"{label} goes to {bin_name}, which has no gate here; the bins are {', '.join(gated)}"
        )


def _as_configured(config: Config, rules: DecisionRules) -> DecisionRules:
    """The rules of a bundle with the thresholds that the configuration states."""
    given = config.decision
    if given.threshold is not None:
        rules = replace(rules, thresholds=dict.fromkeys(rules.labels, given.threshold))
    if given.hazard_threshold is not None:
        rules = replace(
            rules, hazard_thresholds=dict.fromkeys(rules.hazard_thresholds, given.hazard_threshold)
        )
    if given.unknown_threshold == OFF:
        rules = replace(rules, ood_detector=None)
    elif isinstance(given.unknown_threshold, (int, float)):
        rules = with_unknown_threshold(rules, given.unknown_threshold)
    return replace(rules, thresholds={**rules.thresholds, **given.thresholds})


def sensor_rule(sensor: SensorConfig, labels: Collection[str]) -> SensorRule:
    """What the answers of a sensor mean for a model with these labels.

    Raises:
        BadInput: it finds a hazard of its own that is called as a class.
    """
    if sensor.inside and folded(sensor.finds) in map(folded, labels):
        raise BadInput(
            f"sensor {sensor.name}: {sensor.finds} is a class of the model; leave inside away, or "
            "give the hazard another name"
        )
    guards = sensor.guards or sensor.inside or tuple(labels)
    return SensorRule(
        name=sensor.name,
        finds=sensor.finds,
        found=sensor.found,
        false_alarms=sensor.false_alarms,
        inside=sensor.inside,
        guards=frozenset(guards if sensor.required else ()),
        share=sensor.share,
        threshold=sensor.threshold,
        bin=sensor.bin,
    )


def _labels_of_sensors(config: Config) -> set[str]:
    """The classes that the sensors of a line speak of."""
    named = {label for sensor in config.sensors for label in (*sensor.inside, *sensor.guards)}
    return named | {sensor.finds for sensor in config.sensors if not sensor.inside}


def sizes_of(config: Config, bundle: Bundle) -> dict[str, SizeDistribution]:
    """How large the items of each label are: as configured, else as the bundle says, else typical.

    The typical sizes hold only where `belt.mm_per_px` is set: by its default a length is a guess.
    """
    if config.decision.sizes == OFF:
        return {}
    typical = TYPICAL_SIZES if "mm_per_px" in config.belt.model_fields_set else {}
    known = {**typical, **bundle.manifest.sizes, **config.sizes}
    return {label: known[label] for label in bundle.labels if label in known}


def longest_item_mm(config: Config, rules: DecisionRules) -> float:
    """What is longer than this on the belt cannot be one item, mm."""
    if config.belt.longest_item_mm is not None:
        return config.belt.longest_item_mm
    return max([LONGEST_ITEM_MM, *(size.high_mm for size in rules.sizes.values())])


def _first_alike(names: Iterable[str]) -> str | None:
    """Two different names that a person takes for one, in words; None: there are none."""
    seen: dict[str, str] = {}
    for name in names:
        if seen.setdefault(folded(name), name) != name:
            return f"{seen[folded(name)]} and {name}"
    return None


def _meant(name: str, known: Collection[str]) -> Iterator[str]:
    """A hint for each known name that differs only in case or in how its letters are composed."""
    for other in known:
        if folded(other) == folded(name) and other != name:
            same = " (its letters are composed otherwise)" if nfc(other) == nfc(name) else ""
            yield f"did you mean {other}{same}? "


def device_settings(config: CameraConfig) -> DeviceSettings:
    """What is asked of a live camera."""
    return DeviceSettings(
        source=config.source,
        width=config.width,
        height=config.height,
        fps=config.fps,
        format=config.format,
        exposure_us=config.exposure_us,
        gain=config.gain,
        white_balance=config.white_balance,
        lock=config.lock,
        latency_s=config.latency_s,
        frozen_s=config.frozen_s,
    )


def patience(config: CameraConfig) -> Patience:
    """What is done when a live camera gives nothing."""
    return Patience(config.stall_s, config.restart_s, config.give_up_s)
