"""The description of a simulated plant: belt, load, camera, encoder, gates (`scenarios/*.toml`)."""

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
Delay = Annotated[float, within(0, 5)]
Gap = Annotated[float, within(0, 10_000)]


class _ScenarioSection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StretchOfBelt(_ScenarioSection):
    """A stretch of the belt's motion at one speed.

    Attributes:
        seconds: its duration.
        speed_mm_s: the belt speed, mm/s; 0 is a stop, negative is a jog back.
        ramp_s: the first seconds, in which the speed changes evenly from the one before.
    """

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
        gap_mm: the minimum and maximum distance between the ends of two neighbors, mm.
        touching: the share of items that touch the one before.
        overlapping: the share of items that partly overlap the one before.
        photos: the share of items that come from photos, if there are any photos.
        debris: the share of objects that are not electronic waste.
        turn_degrees: the maximum rotation of an item from a photo, either way, degrees.
        labels: the classes of the items.
        battery_inside: the share of the mobile phones and players that hold a battery, which no
            picture shows.
        sizes: `scaled`, machines are scaled down so that each item fits in a view of 800 x 450 mm;
            `true`, items are as large as real ones, up to 90 % of the belt's width.
    """

    gap_mm: tuple[Gap, Gap] = (80.0, 250.0)
    touching: Half = 0.0
    overlapping: Half = 0.0
    photos: Share = 0.5
    debris: Share = 0.0
    turn_degrees: Annotated[float, within(0, 180)] = 15.0
    labels: tuple[Name, ...] = Field(default=CLASSES, max_length=100)
    battery_inside: Share = 0.0
    sizes: Literal["scaled", "true"] = "scaled"

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
        fps: frames per second.
        exposure_ms: the exposure time, ms; the belt's motion during it blurs the frame.
        noise: the maximum sensor noise, gray levels.
        flicker: the amplitude of the lamp's 100 Hz flicker, as a share of its light.
        drift: the amplitude of the brightness drift with a period of two minutes, as a share.
        shadow: the depth of a shadow that moves across the belt, 0 (none) to 1 (black).
        dust: the number of specks on the lens.
        brightness: the brightness of the lamp; 1 is normal.
        mm_per_px: how much belt one pixel shows; None: as the line is configured.
    """

    fps: Annotated[float, within(1, 240)] = 10.0
    exposure_ms: Annotated[float, within(0, 100)] = 2.0
    noise: Annotated[int, whole(0, 60)] = 5
    flicker: Half = 0.0
    drift: Annotated[float, within(0, 0.8)] = 0.0
    shadow: Annotated[float, within(0, 0.9)] = 0.0
    dust: Annotated[int, whole(0, 500)] = 0
    brightness: Annotated[float, within(0.1, 1)] = 1.0
    mm_per_px: Annotated[float, within(0.05, 10)] | None = None


class Pulses(_ScenarioSection):
    """The encoder of the line.

    Attributes:
        kind: `exact`; `pulses`, checked against the camera; `camera`, which measures the belt
            itself; `time`, which cannot see it stop.
        mm_per_pulse: the belt travel per pulse, mm.
        jitter: the position error of a pulse, as a share of `mm_per_pulse`.
        missed: the share of pulses that are lost.
        spurious: the share of pulses that are added.
        silent_s: the periods in which its cable is cut, as pairs of start and end, s.
    """

    kind: Literal["exact", "pulses", "camera", "time"] = "pulses"
    mm_per_pulse: Annotated[float, within(0.01, 100)] = 1.0
    jitter: Share = 0.0
    missed: Half = 0.0
    spurious: Half = 0.0
    silent_s: tuple[tuple[Seconds, Seconds], ...] = Field(default=(), max_length=MOST_STRETCHES)


class SensorBeside(_ScenarioSection):
    """Another sensor beside the belt, and what goes wrong with its messages.

    Attributes:
        name: of the sensor.
        kind: what it is.
        distance_mm: where it is, down the belt from the camera line, mm.
        window_mm: how far the line takes a reading to be from an item, mm.
        delay_s: the shortest and the longest time until a message arrives, s.
        most_delay_s: the longest that the line is configured with, s.
        finds: what it finds: a class, or a hazard of its own.
        inside: the classes whose items may hold that hazard.
        found: how often it finds what is there, as published and as the line is configured.
        false_alarms: how often it finds what is not there, likewise, and truly.
        trained: the share of the items of types that it was trained on.
        found_trained: how often it truly finds what is there in those.
        found_untrained: the same in all others.
        share: of the items of `inside`, how many hold the hazard, as the line is configured.
        threshold: the probability of the hazard from which an item goes to `manual`.
        required: without its answer the items `inside` go to `manual`.
        jitter_s: standard deviation of the time in a message, s.
        lost: the share of messages that never arrive.
        repeated: the share that arrives twice.
        wrong_time: the share whose time is wrong.
        wrong_by_s: by so much, either way, s.
        garbled: the share that is torn.
        silent_s: the periods in which it sends nothing, as pairs of start and end, s.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] = "xray"
    kind: Literal["metal", "xray", "scale", "other"] = "xray"
    distance_mm: Annotated[float, within(-5000, 5000)] = 200.0
    window_mm: Annotated[float, within(0, 1000)] = 30.0
    delay_s: tuple[Delay, Delay] = (0.05, 0.2)
    most_delay_s: Delay = 0.3
    finds: Name = "battery inside"
    inside: tuple[Name, ...] = Field(default=("Mobile", "Player"), max_length=100)
    found: Annotated[float, within(0.001, 0.999)] = 0.91
    false_alarms: Annotated[float, within(0.001, 0.999)] = 0.06
    trained: Share = 0.7
    found_trained: Share = 0.97
    found_untrained: Share = 0.77
    share: Share = 0.5
    threshold: Annotated[float, within(1e-6, 1)] = 0.3
    required: bool = True
    jitter_s: Annotated[float, within(0, 1)] = 0.0
    lost: Half = 0.0
    repeated: Half = 0.0
    wrong_time: Half = 0.0
    wrong_by_s: Annotated[float, within(0, 1e6)] = 1.0
    garbled: Half = 0.0
    silent_s: tuple[tuple[Seconds, Seconds], ...] = Field(default=(), max_length=MOST_STRETCHES)

    @model_validator(mode="after")
    def _check(self) -> "SensorBeside":
        if self.delay_s[0] > self.delay_s[1]:
            raise ValueError("delay_s must be two times, the shorter one first")
        if self.false_alarms >= self.found:
            raise ValueError("false_alarms must be less than found")
        return self


class Scenario(_ScenarioSection):
    """A simulated plant.

    Attributes:
        about: what the scenario shows, one line.
        items: the number of items on the belt.
        belt: the stretches of the belt's motion, repeated from the first after the last.
        load: what lies on the belt.
        camera: the camera and the light.
        encoder: the encoder of the line.
        gate_travel_s: the time that a gate takes from closed to open, s.
        inference_s: the time that one classification takes on the simulated device, s.
        sensors: other sensors beside the belt.
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
    sensors: tuple[SensorBeside, ...] = Field(default=(), max_length=10)

    @model_validator(mode="after")
    def _check_belt(self) -> "Scenario":
        if sum(each.seconds * each.speed_mm_s for each in self.belt) <= 0:
            raise ValueError("belt: its stretches must move it onwards, all in all")
        return self

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The stretches of the belt's motion."""
        return tuple(Stretch(each.seconds, each.speed_mm_s, each.ramp_s) for each in self.belt)

    @property
    def nominal_mm_s(self) -> float:
        """The nominal belt speed, which the line is configured with: the maximum, mm/s."""
        return max(each.speed_mm_s for each in self.belt)


def scenario_names() -> list[str]:
    """The names of the scenarios that come with the program."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read_scenario(name: str) -> Scenario:
    """Read a scenario that comes with the program, or a TOML file.

    Args:
        name: the name of a scenario, or the path of a `.toml` file.

    Raises:
        BadInput: there is no such scenario, or it is malformed.
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
    """Change `items` or the camera's `fps` of a scenario; the values are checked like a file's.

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
