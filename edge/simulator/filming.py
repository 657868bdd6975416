"""Render a loop of simulated belt to a film, for runs in real time.

Rendering while the line runs would take the time that is to be measured.
"""

import json
from dataclasses import asdict, replace
from itertools import takewhile
from pathlib import Path

import numpy as np

from edge.cameras.film import FACTS, FRAMES, Film
from edge.config import Config
from edge.errors import BadInput
from edge.simulator.layout import PlacedItem, place_items
from edge.simulator.scenario import Scenario
from edge.simulator.scene import TEXTURE_MM, Scene
from edge.simulator.simulate import PhotoFolders, pieces_of


def render_film(
    folder: Path,
    config: Config,
    scenario: Scenario,
    *,
    textures: int,
    seed: int,
    pictures: PhotoFolders,
) -> Film:
    """Render a loop of belt at a constant speed.

    Args:
        folder: the folder to write; 2.8 MB per frame at 1280x720.
        config: the line.
        scenario: its load, camera, and nominal speed are used; without items the belt is empty.
        textures: the length of the loop, in lengths of the belt's texture.
        seed: of what lies on the belt and where.
        pictures: the photos to lay down.

    Returns:
        What the film shows.

    Raises:
        BadInput: the photos cannot be used, or a loop at this speed is not a whole number of
            frames.
    """
    geometry, fps, speed_mm_s = config.geometry, scenario.camera.fps, scenario.nominal_mm_s
    loop_mm = textures * TEXTURE_MM
    count = round(loop_mm / speed_mm_s * fps)
    if abs(count * speed_mm_s / fps - loop_mm) > geometry.mm_per_px:
        raise BadInput(f"{loop_mm:g} mm at {speed_mm_s:g} mm/s is not a whole number of frames")
    placed = _loop(config, scenario, loop_mm, seed, pictures) if scenario.items else []
    scene = Scene(
        [
            replace(item, position_mm=item.position_mm + rounds * loop_mm)
            for rounds in (-1, 0, 1)
            for item in placed
        ],
        geometry,
        seed,
        scenario.camera,
    )
    folder.mkdir(parents=True, exist_ok=True)
    shape = (count, geometry.height_px, geometry.width_px, 3)
    frames = np.lib.format.open_memmap(folder / FRAMES, "w+", np.uint8, shape)
    for number in range(count):
        frames[number] = scene.render(number * loop_mm / count, number / fps, speed_mm_s)
    frames.flush()
    film = Film(fps, speed_mm_s, loop_mm, tuple(item.label for item in placed))
    (folder / FACTS).write_text(json.dumps(asdict(film)))
    return film


def _loop(
    config: Config, scenario: Scenario, loop_mm: float, seed: int, pictures: PhotoFolders
) -> list[PlacedItem]:
    """Place items in a loop, with the minimum gap between the last one and the first."""
    load = scenario.load
    longest = round(loop_mm / max(1.0, load.gap_mm[0] + 50.0))
    placed = place_items(
        pieces_of(load, pictures, seed, config),
        longest,
        seed,
        config.geometry,
        gap_mm=load.gap_mm,
        start_mm=0.0,
    )
    end_mm = loop_mm + placed[0].position_mm - placed[0].length_mm / 2 - load.gap_mm[0]
    return list(takewhile(lambda item: item.position_mm + item.length_mm / 2 <= end_mm, placed))
