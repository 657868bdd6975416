"""Run a line on a simulated belt: live for a demonstration, or headless with a score."""

import itertools
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.bundle.sizes import TYPICAL_SIZES, of_range
from edge.cameras.camera import Camera, Frame
from edge.cameras.watched import WatchedCamera
from edge.clock import Clock, SystemClock, VirtualClock
from edge.config import Config, bin_of, name_notes, proved_bundle
from edge.decision.sensing import NoSensing
from edge.encoders.checked_encoder import CheckedEncoder
from edge.encoders.encoder import Encoder, EncoderHealth
from edge.encoders.pulses import PulseEncoder
from edge.encoders.visual_odometer import Odometer
from edge.errors import BadInput
from edge.inference.classifier import Prediction
from edge.inference.worker import Predicting
from edge.line import PATIENCE, build_conveyor, decider_of
from edge.line_source import Source, with_encoder
from edge.photos.dataset import find_photos
from edge.photos.reading import LabeledPhoto, read_photos
from edge.records.record import ItemRecord
from edge.sensors.watch import SensorWatch
from edge.sensors.wiring import place_of
from edge.simulator.camera import SimulatedCamera
from edge.simulator.layout import PlacedItem, place_items, with_batteries_inside
from edge.simulator.motion import BeltMotion
from edge.simulator.pieces import (
    Piece,
    debris_pieces,
    drawn_pieces,
    mixed,
    photo_pieces,
    scaled_mm,
    segmented_pieces,
    true_sizes,
)
from edge.simulator.plant import RUN_OUT_MM, SimulatedPlant
from edge.simulator.scenario import Load, Optics, Pulses, Scenario, StretchOfBelt
from edge.simulator.scene import Scene
from edge.simulator.score import Score, score
from edge.simulator.sensor import SimulatedSensor, sensor_config
from edge.simulator.wheel import SimulatedWheel
from edge.synthetic.items import CLASSES, SIZE_MM
from edge.tally import Tally

log = logging.getLogger(__name__)

DEMO_PIECES = 60
DEMO_ITEMS = 20_000
"""About seven hours of belt; the same pieces are repeated, which costs no memory."""


@dataclass(frozen=True)
class PhotoFolders:
    """Folders of photos to lay on the belt; None: the objects are drawn.

    Attributes:
        items: photos of electronic waste, CLASS/*.jpg.
        debris: photos of other objects.
        cards: lay down whole photos, as cards; else their segmented items.
    """

    items: Path | None = None
    debris: Path | None = None
    cards: bool = False


@dataclass(frozen=True)
class SimulationResult:
    """The result of a simulated run.

    Attributes:
        score: the line's results against what lay on the belt.
        tally: the line's own counts.
        records: the item records, at the items' true positions on the belt, without pictures.
        belt_s: the simulated time, s.
        inferences: the number of views that the model classified.
    """

    score: Score
    tally: Tally
    records: tuple[ItemRecord, ...]
    belt_s: float
    inferences: int


def plain_scenario(config: Config, *, fps: float, items: int, photos: bool) -> Scenario:
    """Make the scenario of the configured line, without faults, and a model that takes no time.

    Args:
        config: the line.
        fps: pictures per second.
        items: how many lie on the belt.
        photos: whether they come from photos; else they are drawn.
    """
    return Scenario(
        items=items,
        belt=(StretchOfBelt(seconds=60, speed_mm_s=config.belt.speed_mm_s),),
        load=Load(photos=float(photos)),
        camera=Optics(fps=fps, exposure_ms=0),
        encoder=Pulses(kind="exact"),
        gate_travel_s=0,
        inference_s=0,
    )


def pieces_of(
    load: Load,
    pictures: PhotoFolders,
    seed: int,
    config: Config,
) -> Iterator[Piece]:
    """Yield the pieces of a load, endlessly.

    Args:
        load: what lies on the belt.
        pictures: the photos to lay down.
        seed: of the pieces and their order.
        config: the line.

    Raises:
        BadInput: a folder has no photo that can be read.
    """
    geometry, sources = config.geometry, []
    longest_side = true_sizes(geometry) if load.sizes == "true" else scaled_mm
    photos = _photos(pictures.items)
    if photos and load.photos:
        if pictures.cards:
            of_photos = photo_pieces(photos, seed, geometry)
        else:
            known = [photo for photo in photos if photo.label in load.labels]
            of_photos = segmented_pieces(
                known or photos, load.turn_degrees, seed, geometry, longest_side
            )
        sources.append(((1 - load.debris) * load.photos, of_photos))
    if not photos or load.photos < 1:
        share = (1 - load.photos) if photos else 1.0
        drawn = drawn_pieces(seed, geometry, load.labels, longest_side)
        sources.append(((1 - load.debris) * share, drawn))
    if load.debris:
        debris = debris_pieces(_photos(pictures.debris), seed, geometry)
        sources.append((load.debris, debris))
    return sources[0][1] if len(sources) == 1 else mixed(sources, seed)


def _photos(folder: Path | None) -> list[LabeledPhoto]:
    if folder is None:
        return []
    return [photo for photo, _ in read_photos(find_photos(folder))]


def demo_source(config: Config, photos: Path | None, seed: int) -> Source:
    """Make a belt in real time that does not end within a working day.

    Args:
        config: the line.
        photos: photos to lay down; None: the items are drawn.
        seed: of what lies on the belt and where.

    Raises:
        BadInput: the folder of photos cannot be used.
    """
    fps, has_photos = config.camera.fps, photos is not None
    scenario = plain_scenario(config, fps=fps, items=DEMO_ITEMS, photos=has_photos)
    pictures = PhotoFolders(photos, cards=True)
    endless = pieces_of(scenario.load, pictures, seed, config)
    pieces = list(itertools.islice(endless, DEMO_PIECES))
    placed = place_items(itertools.cycle(pieces), DEMO_ITEMS, seed, config.geometry)
    clock = SystemClock()
    return plant_source(config, scenario, placed, seed=seed, clock=clock, realtime=True)


def simulate(
    config: Config,
    scenario: Scenario,
    *,
    seed: int,
    pictures: PhotoFolders = PhotoFolders(),
    video: Path | None = None,
    on_record: Callable[[ItemRecord], None] = lambda record: None,
) -> SimulationResult:
    """Run a scenario on a virtual clock, as fast as this machine can, and score it.

    Args:
        config: the line; its speed, frame rate, gates, and view are set to those of the scenario,
            and so are the sizes of the classes for which it names none.
        scenario: the plant.
        seed: of what lies on the belt and where.
        pictures: the photos to lay down.
        video: a file to write the frames of the camera to.
        on_record: called with each record when it is made.

    Raises:
        Refused: the bundle cannot be proved.
        BadInput: the photos or the video file cannot be used.
    """
    config = config_for_scenario(config, scenario)
    bundle, _ = proved = proved_bundle(config)
    for note in name_notes(config, bundle):
        log.warning(note)
    load = scenario.load
    if not pictures.cards:
        config = with_simulated_sizes(config, load, bundle.labels)
    placed = place_items(
        pieces_of(load, pictures, seed, config),
        scenario.items,
        seed,
        config.geometry,
        gap_mm=load.gap_mm,
        touching=load.touching,
        overlapping=load.overlapping,
    )
    if load.battery_inside:
        placed = with_batteries_inside(placed, load.battery_inside, seed)
    clock, motion = VirtualClock(), BeltMotion(scenario.stretches)
    realtime = scenario.inference_s > 0
    source = plant_source(
        config, scenario, placed, seed=seed, clock=clock, realtime=realtime, video=video
    )
    records: list[ItemRecord] = []
    paced: list[PacedInference] = []

    def record(item: ItemRecord) -> None:
        # An encoder that misses pulses shifts all positions, so the true position is kept.
        now = clock.now()
        slipped_mm = motion.position_mm(now) - source.encoder.position_mm(now)
        records.append(replace(item, position_mm=item.position_mm + slipped_mm, crop=b""))
        on_record(item)

    def move(item: ItemRecord) -> None:
        place = next(n for n, each in enumerate(records) if each.item_id == item.item_id)
        records[place] = replace(
            records[place], bin=item.bin, reason=item.reason, detail=item.detail
        )

    def pace(classifier: Predicting) -> PacedInference:
        patience_s = PATIENCE / scenario.camera.fps
        paced.append(PacedInference(classifier, clock, scenario.inference_s, patience_s))
        return paced[-1]

    try:
        conveyor = build_conveyor(
            config=config,
            source=source,
            gates=source.gates,
            decider=decider_of(config, proved),
            record=record,
            inference=pace,
            moved=move,
            sensing=source.sensors or NoSensing(),
        )
        tally = conveyor.run()
    finally:
        source.camera.close()
    return SimulationResult(
        score=score(
            placed=placed,
            records=records,
            routed=source.gates.routed,
            bins=bin_of(config, bundle),
            hazards=frozenset(bundle.manifest.hazards),
        ),
        tally=tally,
        records=tuple(records),
        belt_s=clock.now(),
        inferences=paced[0].asked,
    )


def config_for_scenario(config: Config, scenario: Scenario) -> Config:
    """Set the speed, the frame rate, the gate travel, and the view of a line to a plant's."""
    belt: dict[str, float] = {"speed_mm_s": scenario.nominal_mm_s}
    if scenario.camera.mm_per_px is not None:
        belt["mm_per_px"] = scenario.camera.mm_per_px
    return config.model_copy(
        update={
            "belt": config.belt.model_copy(update=belt),
            "camera": config.camera.model_copy(update={"fps": scenario.camera.fps}),
            "gate_travel_s": scenario.gate_travel_s,
            "sensors": tuple(map(sensor_config, scenario.sensors)),
        }
    )


def with_simulated_sizes(config: Config, load: Load, labels: Collection[str]) -> Config:
    """Let a line know how large simulated items are, as one knows that has measured its own.

    Args:
        config: the line; sizes that it states stay.
        load: what lies on the belt.
        labels: the model's classes.
    """
    scaled = {label: of_range(*SIZE_MM[label]) for label in CLASSES}
    known = TYPICAL_SIZES if load.sizes == "true" else scaled
    simulated = {label: known[label] for label in known if label in labels}
    return config.model_copy(update={"sizes": {**simulated, **config.sizes}})


class PacedInference:
    """A model that takes a fixed time on a virtual clock, beside the loop."""

    def __init__(
        self, classifier: Predicting, clock: Clock, takes_s: float, patience_s: float
    ) -> None:
        """Set up.

        Args:
            classifier: the model.
            clock: the virtual clock.
            takes_s: the time of one classification, s.
            patience_s: how long `answer` waits, s.
        """
        self._classifier, self._clock = classifier, clock
        self._takes_s, self._patience_s = takes_s, patience_s
        self._prediction: Prediction | None = None
        self._done_at = 0.0
        self.asked = 0
        """The number of views so far."""

    def start(self, view: np.ndarray) -> None:
        """Start to classify a view, uint8 RGB [H, W, 3]."""
        self.asked += 1
        self._prediction = self._classifier.predict(view)
        self._done_at = self._clock.now() + self._takes_s

    def answer(self) -> tuple[Prediction, float] | None:
        """Return the prediction and its time in ms; None: not ready."""
        left_s = self._done_at - self._clock.now()
        self._clock.sleep(min(left_s, self._patience_s))
        return None if left_s > self._patience_s else self.wait()

    def wait(self) -> tuple[Prediction, float]:
        """Wait for the prediction; return it and its time in ms."""
        if self._prediction is None:
            raise ValueError("nothing was started")
        self._clock.sleep(self._done_at - self._clock.now())
        prediction, self._prediction = self._prediction, None
        return prediction, 1000 * self._takes_s

    def exchange(self, classifier: Predicting) -> None:
        """Classify with another model from now on."""
        self._classifier = classifier

    def close(self) -> None:
        """Do nothing: there is no thread."""


@dataclass(frozen=True)
class PlantSource(Source):
    """A line's source whose gates are those of a simulated plant."""

    gates: SimulatedPlant


def plant_source(
    config: Config,
    scenario: Scenario,
    placed: list[PlacedItem],
    *,
    seed: int,
    clock: SystemClock | VirtualClock,
    realtime: bool,
    video: Path | None = None,
) -> PlantSource:
    """Make the camera, encoder, and gates of a simulated plant.

    Args:
        config: the line.
        scenario: the plant.
        placed: the items on the belt.
        seed: of the noise and the faults.
        clock: the clock of the line; the belt starts now.
        realtime: skip the frames that the line is too slow for.
        video: a file to write the frames of the camera to.

    Raises:
        BadInput: the video file cannot be written.
    """
    motion = BeltMotion(scenario.stretches, started_at=clock.now())
    scene = Scene(placed, config.geometry, seed, scenario.camera)
    plant = SimulatedPlant(
        placed, config.gate_specs, scene.remove, scenario.gate_travel_s, clock.now
    )
    last_gate_mm = max(gate.distance_mm for gate in config.gates)
    end_mm = scene.end_mm + last_gate_mm + RUN_OUT_MM
    camera: Camera = SimulatedCamera(
        scene, motion, clock, scenario.camera.fps, end_mm, realtime=realtime
    )
    if video is not None:
        camera = _recorded(camera, video, scenario.camera.fps, config)
    camera = WatchedCamera(camera, lambda frame: plant.advance(motion.position_mm(clock.now())))
    camera, encoder = with_scenario_encoder(
        config, scenario, camera=camera, motion=motion, clock=clock, seed=seed
    )
    # Seeds of their own: what a sensor finds must not go with how the items lie.
    sensors = [
        (
            place_of(sensor_config(beside)),
            SimulatedSensor(beside, placed, motion, clock, (seed, n, 1)),
        )
        for n, beside in enumerate(scenario.sensors)
    ]
    watch = SensorWatch(sensors, clock.now, encoder.position_mm) if sensors else None
    return PlantSource(camera, encoder, clock, plant, watch)


def with_scenario_encoder(
    config: Config,
    scenario: Scenario,
    *,
    camera: Camera,
    motion: BeltMotion,
    clock: Clock,
    seed: int,
) -> tuple[Camera, Encoder]:
    """Make the scenario's encoder; if it measures by frames, the camera shows them to it."""
    kind, nominal_mm_s = scenario.encoder.kind, scenario.nominal_mm_s
    if kind == "exact":
        return camera, motion
    if kind != "pulses":
        belt = config.belt.model_copy(update={"encoder": kind, "speed_mm_s": nominal_mm_s})
        return with_encoder(config.model_copy(update={"belt": belt}), camera, clock)
    odometer = Odometer(config.geometry, nominal_mm_s)
    pulses = PulseEncoder(scenario.encoder.mm_per_pulse, 2 * nominal_mm_s, clock.now())
    wheel = SimulatedWheel(motion, pulses, scenario.encoder, clock, seed)
    turned = TurnedEncoder(CheckedEncoder(pulses, odometer), wheel)
    return WatchedCamera(camera, turned.see), turned


@dataclass(frozen=True)
class TurnedEncoder:
    """An encoder whose simulated wheel turns before each reading."""

    encoder: CheckedEncoder
    wheel: SimulatedWheel

    def see(self, frame: Frame) -> None:
        """Show the encoder a frame."""
        self.wheel.turn()
        self.encoder.see(frame)

    def position_mm(self, at_seconds: float) -> float:
        """Return the belt position at a time, mm."""
        self.wheel.turn()
        return self.encoder.position_mm(at_seconds)

    def health(self) -> EncoderHealth:
        """Return whether its positions are reliable."""
        return self.encoder.health()


def _recorded(camera: Camera, video: Path, fps: float, config: Config) -> Camera:
    """Wrap a camera so that its frames are also written to a file."""
    size = (config.camera.width, config.camera.height)
    # Motion JPEG is what most USB cameras send.
    codec = "MJPG" if video.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*codec), fps, size)
    if not writer.isOpened():
        raise BadInput(f"{video}: no video can be written there; give a path to an .mp4 or .avi")

    def write(frame: Frame) -> None:
        writer.write(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR))

    return WatchedCamera(camera, write, writer.release)
