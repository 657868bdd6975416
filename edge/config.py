"""One typed configuration of the line, read from TOML; every key has a default that works."""

import json
import sys
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.belt.gates import GateSpec
from edge.belt.geometry import Geometry
from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.decision import MANUAL, DecisionRules
from edge.errors import BadInput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


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
        speed_mm_s: the speed, as long as there is no encoder.
    """

    mm_per_px: float = Field(0.625, gt=0, le=10)
    speed_mm_s: float = Field(250.0, gt=0, le=5000)


class ClassifierConfig(_Section):
    """The model.

    Attributes:
        bundle: its directory.
        threads: that one inference may use.
        views: how many views of an item are classified before the verdict.
        view_spacing_mm: how far an item travels between two of them.
    """

    bundle: Path = DEFAULT_BUNDLE
    threads: int = Field(2, ge=1, le=64)
    views: int = Field(3, ge=1, le=20)
    view_spacing_mm: float = Field(100.0, ge=0)


class DecisionConfig(_Section):
    """What a verdict needs.

    Attributes:
        threshold: least confidence for a label; None takes the bundle's.
        hazard_suspicion: probability of a hazard from which an item of another label goes to
            `manual`.
    """

    threshold: float | None = Field(None, ge=0, le=1)
    hazard_suspicion: float = Field(0.15, gt=0, le=1)


class GateConfig(_Section):
    """One gate.

    Attributes:
        bin: that it feeds.
        distance_mm: down the belt from the camera line, the middle of the picture.
        pin: GPIO number (BCM) of its actuator; None: there is no wire.
    """

    bin: str
    distance_mm: float = Field(gt=0)
    pin: int | None = Field(None, ge=0, le=27)


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
        state: directory for the records and what the page shows.
    """

    camera: CameraConfig = CameraConfig()
    belt: BeltConfig = BeltConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    decision: DecisionConfig = DecisionConfig()
    bins: dict[str, tuple[str, ...]] = Field(default_factory=_default_bins)
    gates: tuple[GateConfig, ...] = Field(default_factory=_default_gates)
    gate_open_s: float = Field(3.0, gt=0, le=60)
    state: Path = Path("~/.local/state/ewaste-edge")
    panel: PanelConfig = PanelConfig()

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

    @property
    def geometry(self) -> Geometry:
        """What the camera shows of the belt."""
        return Geometry(self.camera.width, self.camera.height, self.belt.mm_per_px)

    @property
    def bin_of(self) -> dict[str, str]:
        """The bin of each label."""
        return {label: name for name, labels in self.bins.items() for label in labels}

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
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadInput(f"{path}: {where}: {first['msg']}") from None


def decision_rules(config: Config, bundle: Bundle) -> DecisionRules:
    """The rules for this bundle's classes; the default bins take those of them that they know.

    Raises:
        BadInput: a configured bin takes a label that the bundle's model does not know.
    """
    strange = sorted(set(config.bin_of) - set(bundle.labels))
    if strange and "bins" in config.model_fields_set:
        raise BadInput(
            f"{bundle.path}: the model knows no {', '.join(strange)}; "
            f"its classes are {', '.join(bundle.labels)}; change [bins] in the configuration"
        )
    threshold = config.decision.threshold
    return DecisionRules(
        labels=bundle.labels,
        bins=config.bin_of,
        threshold=bundle.manifest.threshold if threshold is None else threshold,
        hazards=frozenset(bundle.manifest.hazards),
        hazard_suspicion=config.decision.hazard_suspicion,
    )
