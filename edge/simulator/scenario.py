"""A simulated plant written down: belt, load, camera, encoder, gates; `scenarios/*.toml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.config import read_toml
from edge.errors import BadInput, first_problem
from edge.limits import Name, Share, whole, within
from edge.simulator.motion import Stretch
from edge.synthetic.items import CLASSES

SHIPPED = Path(__file__).parent / "scenarios"
MOST_STRETCHES = 1000
Half = Annotated[float, within(0, 0.5)]
Seconds = Annotated[float, within(0, 1e7)]
Gap = Annotated[float, within(0, 10_000)]


class _ScenarioSection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StretchOfBelt(_ScenarioSection):
    """See `edge.simulator.motion.Stretch`."""

    seconds: Annotated[float, within(0.001, 86400)]
    speed_mm_s: Annotated[float, within(-2000, 5000)]
    ramp_s: Annotated[float, within(0, 86400)] = 0.0

    @model_validator(mode="after")
    def _check(self) -> "StretchOfBelt":
        if self.ramp_s >= self.seconds:
            raise ValueError("ramp_s must be less than seconds")
        return self


class Load(_ScenarioSection):
    """What lies on the belt.

    Attributes:
        gap_mm: least and greatest distance between the ends of two neighbors.
        touching: share of the items that are laid against the one before.
        overlapping: share of the items that are laid partly over the one before.
        photos: share of the items that come from photos, if there are any.
        debris: share of the things that are no electronic waste.
        turn_degrees: an item from a photo is turned by up to this angle, either way.
        labels: the classes to lay down.
    """

    gap_mm: tuple[Gap, Gap] = (80.0, 250.0)
    touching: Half = 0.0
    overlapping: Half = 0.0
    photos: Share = 0.5
    debris: Share = 0.0
    turn_degrees: Annotated[float, within(0, 180)] = 15.0
    labels: tuple[Name, ...] = Field(default=CLASSES, max_length=100)

    @model_validator(mode="after")
    def _check(self) -> "Load":
        if self.gap_mm[0] > self.gap_mm[1]:
            raise ValueError("gap_mm must be two distances, the smaller one first")
        if self.touching + self.overlapping > 0.5:
            raise ValueError("at most half of the items can lie against or over the one before")
        strange = sorted(set(self.labels) - set(CLASSES))
        if strange or not self.labels:
            raise ValueError(f"labels: {', '.join(strange) or 'none'}; known: {', '.join(CLASSES)}")
        return self


class Optics(_ScenarioSection):
    """The camera and the light.

    Attributes:
        fps: pictures a second.
        exposure_ms: the belt moves on during it, which blurs the picture.
        noise: of the sensor, gray levels, 0 to this.
        flicker: of the lamp at 100 Hz, as a share of its light.
        drift: how far the light rises and falls in the course of two minutes, as a share.
        shadow: depth of a shadow that wanders over the belt, 0 (none) to 1 (black).
        dust: specks on the lens.
        brightness: of the lamp, 1 is usual.
    """

    fps: Annotated[float, within(1, 240)] = 10.0
    exposure_ms: Annotated[float, within(0, 100)] = 2.0
    noise: Annotated[int, whole(0, 60)] = 5
    flicker: Half = 0.0
    drift: Annotated[float, within(0, 0.8)] = 0.0
    shadow: Annotated[float, within(0, 0.9)] = 0.0
    dust: Annotated[int, whole(0, 500)] = 0
    brightness: Annotated[float, within(0.1, 1)] = 1.0


class Pulses(_ScenarioSection):
    """The encoder of the line.

    Attributes:
        kind: `exact`; `pulses`, checked against the camera; `camera`, which measures the belt
            itself; `time`, which cannot see it stop.
        mm_per_pulse: belt per pulse.
        jitter: of a pulse's place, as a share of `mm_per_pulse`.
        missed, spurious: share of the pulses that are lost, and that are added.
        silent_s: from when to when its cable is cut, seconds.
    """

    kind: Literal["exact", "pulses", "camera", "time"] = "pulses"
    mm_per_pulse: Annotated[float, within(0.01, 100)] = 1.0
    jitter: Share = 0.0
    missed: Half = 0.0
    spurious: Half = 0.0
    silent_s: tuple[tuple[Seconds, Seconds], ...] = Field(default=(), max_length=MOST_STRETCHES)


class Scenario(_ScenarioSection):
    """A whole one.

    Attributes:
        about: what it shows, one line.
        items: how many lie on the belt.
        belt: its motion, from the beginning again after the last stretch.
        load, camera, encoder: see there.
        gate_travel_s: how long a gate swings from closed to open.
        inference_s: how long one classification takes on this virtual device.
    """

    about: str = Field(default="", max_length=1000)
    items: Annotated[int, whole(0, 1_000_000)] = 100
    belt: tuple[StretchOfBelt, ...] = Field(
        default=(StretchOfBelt(seconds=60, speed_mm_s=250),), max_length=MOST_STRETCHES
    )
    load: Load = Load()
    camera: Optics = Optics()
    encoder: Pulses = Pulses()
    gate_travel_s: Annotated[float, within(0, 5)] = 0.1
    inference_s: Annotated[float, within(0, 10)] = 0.02

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
    if not name or "\0" in name:
        raise BadInput("a scenario without a name; see: ewaste-edge simulate --list")
    path = Path(name)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name}.toml"
        if name not in scenario_names():
            known = ", ".join(scenario_names())
            raise BadInput(f"{name}: no such scenario; give a .toml file or one of {known}")
    return read_toml(path, Scenario)


def changed(scenario: Scenario, given: Mapping[str, Any]) -> Scenario:
    """A scenario with other values for `items` or the camera's `fps`, checked like those of a file.

    Raises:
        BadInput: a value is out of its range.
    """
    content = scenario.model_dump(exclude_unset=True)
    if "fps" in given:
        content.setdefault("camera", {})["fps"] = given["fps"]
    try:
        return Scenario.model_validate(
            content | {key: value for key, value in given.items() if key != "fps"}
        )
    except ValidationError as error:
        raise BadInput(f"simulate: {first_problem(error)}") from None
