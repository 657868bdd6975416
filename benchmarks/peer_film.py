"""A film of a simulated plant, and the truth about it, for `benchmarks/peers.py`."""

import shutil
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from edge.clock import VirtualClock
from edge.config import Config
from edge.errors import BadInput
from edge.simulator.camera import SimulatedCamera
from edge.simulator.layout import PlacedItem, place_items
from edge.simulator.motion import BeltMotion
from edge.simulator.scenario import Scenario
from edge.simulator.scene import Scene
from edge.simulator.simulate import PhotoFolders, config_for_scenario, pieces_of

CHANNELS = 3


@dataclass(frozen=True)
class PlantFilm:
    """A film and its truth.

    Attributes:
        frames: a .npy file, uint8 RGB [frames, H, W, 3].
        scenario: the plant.
        seed: of what lies on the belt and where, and of the encoder's faults.
        belt_mm: the true position of the belt at each frame, mm.
        placed: the items on the belt, first on the belt first.
    """

    frames: Path
    scenario: Scenario
    seed: int
    belt_mm: np.ndarray
    placed: tuple[PlacedItem, ...]

    @property
    def middle_frames(self) -> np.ndarray:
        """For each item, the first frame in which it is nearest to the middle, [items]."""
        positions = np.array([item.position_mm for item in self.placed])
        return np.abs(self.belt_mm[np.newaxis] - positions[:, np.newaxis]).argmin(axis=1)


def render(path: Path, scenario: Scenario, *, seed: int, pictures: PhotoFolders) -> PlantFilm:
    """Render a plant from its start until its last item has left the view.

    Args:
        path: the .npy file to write; 2.8 MB per frame.
        scenario: the plant.
        seed: of what lies on the belt and where, and of the noise.
        pictures: the photos to lay down.

    Raises:
        BadInput: the photos cannot be used, or the disk has no room for the film.
    """
    config = config_for_scenario(Config(), scenario)
    load, geometry, fps = scenario.load, config.geometry, scenario.camera.fps
    placed = place_items(
        pieces_of(load, pictures, seed, config),
        scenario.items,
        seed,
        geometry,
        gap_mm=load.gap_mm,
        touching=load.touching,
        overlapping=load.overlapping,
    )
    scene, motion = Scene(placed, geometry, seed, scenario.camera), BeltMotion(scenario.stretches)
    positions = (motion.position_mm(number / fps) for number in count())
    belt_mm = np.array(list(takewhile(lambda position: position <= scene.end_mm, positions)))
    shape = (len(belt_mm), geometry.height_px, geometry.width_px, CHANNELS)
    _check_room(path, np.prod(shape, dtype=np.int64))
    frames = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    camera = SimulatedCamera(scene, motion, VirtualClock(), fps)
    for number in range(len(belt_mm)):
        frame = camera.read()
        assert frame is not None, "without an end it goes on forever"
        frames[number] = frame.pixels
    frames.flush()
    return PlantFilm(path, scenario, seed, belt_mm, tuple(placed))


def blank(path: Path) -> PlantFilm:
    """A film of two gray frames, to see whether a peer works.

    Args:
        path: the .npy file to write.
    """
    geometry = Config().geometry
    shape = (2, geometry.height_px, geometry.width_px, CHANNELS)
    np.save(path, np.full(shape, 128, np.uint8))
    return PlantFilm(path, Scenario(items=0), 0, np.zeros(2), ())


def _check_room(path: Path, size: int) -> None:
    """See that a file of so many bytes finds room.

    Raises:
        BadInput: it does not.
    """
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise BadInput(
            f"{path.parent}: a film of {size / 1e9:.1f} GB has no room there ({free / 1e9:.1f} GB "
            "free); take fewer items, or another folder by TMPDIR"
        )
