"""A whole line on a simulated belt: live for a demonstration, or headless with a score."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.belt.encoder import TimedEncoder
from edge.bundle import load_bundle
from edge.cameras.camera import Camera, Frame
from edge.cameras.simulated import SimulatedCamera
from edge.clock import SystemClock, VirtualClock
from edge.config import Config, bin_of
from edge.errors import BadInput
from edge.line import Source, build_conveyor
from edge.photos import find_photos, read_photos
from edge.simulator.plant import RUN_OUT_MM, SimulatedPlant
from edge.simulator.scene import Piece, PlacedItem, Scene, drawn_pieces, photo_pieces, place_items
from edge.simulator.score import Score, score
from edge.store import ItemRecord

DEMO_PIECES = 60
DEMO_ITEMS = 20_000
"""About seven hours of belt; the pieces come round again and again, which costs no memory."""


@dataclass(frozen=True)
class WatchedCamera:
    """A camera whose frames somebody else sees first; `finish` is called when it is closed."""

    camera: Camera
    watch: Callable[[Frame], None]
    finish: Callable[[], None] = lambda: None

    def read(self) -> Frame | None:
        """The camera's next frame, after `watch` has had it."""
        frame = self.camera.read()
        if frame is not None:
            self.watch(frame)
        return frame

    def close(self) -> None:
        """Close the camera."""
        self.finish()
        self.camera.close()


def pieces_of(
    photos: Path | None, seed: int, config: Config, said: Callable[[str], None]
) -> Iterator[Piece]:
    """Drawn items, or the readable photos of a folder as cards.

    Raises:
        BadInput: the folder has no photo that can be read.
    """
    if photos is None:
        return drawn_pieces(seed, config.geometry)
    readable = [photo for photo, _ in read_photos(find_photos(photos), said)]
    return photo_pieces(readable, seed, config.geometry)


def demo_source(
    config: Config, photos: Path | None, seed: int, said: Callable[[str], None]
) -> Source:
    """A belt in real time that never ends within a working day.

    Raises:
        BadInput: the folder of photos cannot be used.
    """
    pieces = itertools.islice(pieces_of(photos, seed, config, said), DEMO_PIECES)
    placed = place_items(itertools.cycle(list(pieces)), DEMO_ITEMS, seed, config.geometry)
    clock = SystemClock()
    return _plant_source(config, placed, seed, clock, config.camera.fps, None, realtime=True)


def simulate(
    config: Config,
    items: int,
    seed: int,
    photos: Path | None,
    fps: float,
    video: Path | None,
    recorded: Callable[[ItemRecord], None],
    said: Callable[[str], None],
) -> Score:
    """Run a belt of `items` on a virtual clock, as fast as this machine can, and score it.

    Args:
        config: the line.
        items: how many.
        seed: of what lies on the belt and where.
        photos: a folder of labelled photos to lay down; None: drawn items.
        fps: frames per simulated second.
        video: also write what the camera sees to this file.
        recorded: gets each record as it falls.
        said: gets warnings, one line at a time.

    Raises:
        Refused: the bundle cannot be proved.
        BadInput: the photos or the video file cannot be used.
    """
    bundle = load_bundle(config.bundle)
    placed = place_items(pieces_of(photos, seed, config, said), items, seed, config.geometry)
    source = _plant_source(config, placed, seed, VirtualClock(), fps, video, realtime=False)
    records: list[ItemRecord] = []

    def record(item: ItemRecord) -> None:
        records.append(item)
        recorded(item)

    try:
        tally = build_conveyor(config, source, source.gates, bundle, record).run()
    finally:
        source.camera.close()
    hazards = frozenset(bundle.manifest.hazards)
    return score(placed, records, source.gates.routed, bin_of(config, bundle), hazards, tally.late)


def _plant_source(
    config: Config,
    placed: list[PlacedItem],
    seed: int,
    clock: SystemClock | VirtualClock,
    fps: float,
    video: Path | None,
    realtime: bool,
) -> Source:
    scene = Scene(placed, config.geometry, seed)
    plant = SimulatedPlant(placed, config.gate_specs, scene.remove)
    encoder = TimedEncoder(config.belt.speed_mm_s, clock.now())
    last_gate_mm = max(gate.distance_mm for gate in config.gates)
    end_mm = scene.end_mm + last_gate_mm + RUN_OUT_MM
    camera: Camera = SimulatedCamera(scene, encoder, clock, fps, end_mm, realtime)
    if video is not None:
        camera = _recorded(camera, video, fps, config)
    camera = WatchedCamera(camera, lambda frame: plant.advance(encoder.position_mm(clock.now())))
    return Source(camera, encoder, clock, plant)


def _recorded(camera: Camera, video: Path, fps: float, config: Config) -> Camera:
    """The same camera, whose frames are also written to a file."""
    size = (config.camera.width, config.camera.height)
    # Motion JPEG is what most USB cameras send.
    codec = "MJPG" if video.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*codec), fps, size)
    if not writer.isOpened():
        raise BadInput(f"{video}: no video can be written there; give a path to an .mp4 or .avi")
    return WatchedCamera(
        camera,
        lambda frame: writer.write(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)),
        writer.release,
    )
