"""A simulated plant written down: belt, load, camera, encoder, gates; `scenarios/*.toml`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.config import read_toml
from edge.errors import BadInput
from edge.simulator.items import CLASSES
from edge.simulator.motion import Stretch

SHIPPED = Path(__file__).parent / "scenarios"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StretchOfBelt(_Section):
    """See `edge.simulator.motion.Stretch`."""

    seconds: float = Field(gt=0, le=86400)
    speed_mm_s: float = Field(ge=-2000, le=5000)
    ramp_s: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "StretchOfBelt":
        if self.ramp_s >= self.seconds:
            raise ValueError("ramp_s must be less than seconds")
        return self


class Load(_Section):
    """What lies on the belt.

    Attributes:
        gap_mm: least and greatest distance between the ends of two neighbours.
        touching: share of the items that are laid against the one before.
        overlapping: share of the items that are laid partly over the one before.
        photos: share of the items that come from photos, if there are any.
        debris: share of the things that are no electronic waste.
        turn_degrees: an item from a photo is turned by up to this angle, either way.
        labels: the classes to lay down.
    """

    gap_mm: tuple[float, float] = (80.0, 250.0)
    touching: float = Field(0.0, ge=0, le=0.5)
    overlapping: float = Field(0.0, ge=0, le=0.5)
    photos: float = Field(0.5, ge=0, le=1)
    debris: float = Field(0.0, ge=0, le=1)
    turn_degrees: float = Field(15.0, ge=0, le=180)
    labels: tuple[str, ...] = CLASSES

    @model_validator(mode="after")
    def _check(self) -> "Load":
        if not 0 <= self.gap_mm[0] <= self.gap_mm[1]:
            raise ValueError("gap_mm must be two distances, the smaller one first")
        if self.touching + self.overlapping > 0.5:
            raise ValueError("at most half of the items can lie against or over the one before")
        strange = sorted(set(self.labels) - set(CLASSES))
        if strange or not self.labels:
            raise ValueError(f"labels: {', '.join(strange) or 'none'}; known: {', '.join(CLASSES)}")
        return self


class Optics(_Section):
    """The camera and the light.

    Attributes:
        fps: pictures a second.
        exposure_ms: the belt moves on during it, which blurs the picture.
        noise: of the sensor, grey levels, 0 to this.
        flicker: of the lamp at 100 Hz, as a share of its light.
        drift: how far the light rises and falls in the course of two minutes, as a share.
        shadow: depth of a shadow that wanders over the belt, 0 (none) to 1 (black).
        dust: specks on the lens.
        brightness: of the lamp, 1 is usual.
    """

    fps: float = Field(10.0, ge=1, le=240)
    exposure_ms: float = Field(2.0, ge=0, le=100)
    noise: int = Field(5, ge=0, le=60)
    flicker: float = Field(0.0, ge=0, le=0.5)
    drift: float = Field(0.0, ge=0, le=0.8)
    shadow: float = Field(0.0, ge=0, le=0.9)
    dust: int = Field(0, ge=0, le=500)
    brightness: float = Field(1.0, ge=0.1, le=1)


class Pulses(_Section):
    """The encoder of the line.

    Attributes:
        kind: `exact`; `pulses`, checked against the camera; `camera`, which measures the belt
            itself; `time`, which cannot see it stop.
        mm_per_pulse: belt per pulse.
        jitter: of a pulse's place, as a share of `mm_per_pulse`.
        missed, spurious: share of the pulses that are lost, and that are added.
        silent_s: from when to when its cable is cut, seconds.
    """

    kind: str = Field("pulses", pattern="^(exact|pulses|camera|time)$")
    mm_per_pulse: float = Field(1.0, gt=0, le=100)
    jitter: float = Field(0.0, ge=0, le=1)
    missed: float = Field(0.0, ge=0, le=0.5)
    spurious: float = Field(0.0, ge=0, le=0.5)
    silent_s: tuple[tuple[float, float], ...] = ()


class Scenario(_Section):
    """A whole one.

    Attributes:
        about: what it shows, one line.
        items: how many lie on the belt.
        belt: its motion, from the beginning again after the last stretch.
        load, camera, encoder: see there.
        gate_travel_s: how long a gate swings from closed to open.
        inference_s: how long one classification takes on this virtual device.
    """

    about: str = ""
    items: int = Field(100, ge=0, le=1_000_000)
    belt: tuple[StretchOfBelt, ...] = (StretchOfBelt(seconds=60, speed_mm_s=250),)
    load: Load = Load()
    camera: Optics = Optics()
    encoder: Pulses = Pulses()
    gate_travel_s: float = Field(0.1, ge=0, le=5)
    inference_s: float = Field(0.02, ge=0, le=10)

    @model_validator(mode="after")
    def _check_belt(self) -> "Scenario":
        if sum(each.seconds * each.speed_mm_s for each in self.belt) <= 0:
            raise ValueError("belt: its stretches must move it onwards, all in all")
        return self

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The belt's motion."""
        return tuple(Stretch(each.seconds, each.speed_mm_s, each.ramp_s) for each in self.belt)

    @property
    def nominal_mm_s(self) -> float:
        """The speed that the line is told: the greatest."""
        return max(each.speed_mm_s for each in self.belt)


def scenario_names() -> list[str]:
    """The scenarios that come with the program."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read_scenario(name: str) -> Scenario:
    """Read a scenario that comes with the program, or a TOML file of one.

    Raises:
        BadInput: there is none of that name, or it is malformed.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name}.toml"
        if name not in scenario_names():
            known = ", ".join(scenario_names())
            raise BadInput(f"{name}: no such scenario; give a .toml file or one of {known}")
    return read_toml(path, Scenario)
