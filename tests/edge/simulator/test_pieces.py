import itertools
import tracemalloc

import numpy as np
from PIL import Image

from edge.config import Config
from edge.simulator.scenario import Load
from edge.simulator.simulate import PhotoFolders, pieces_of


def test_huge_and_bad_pictures_are_skipped_by_name_and_take_little_memory(tmp_path, logged):
    for folder in ("photos/Mouse", "photos/Battery", "debris/other"):
        (tmp_path / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("photos/Mouse/1.png", "photos/Battery/1.png", "debris/other/1.png"):
        draw = np.full((200, 200, 3), 240, np.uint8)
        draw[50:150, 40:160] = rng.integers(0, 90, (100, 120, 3))
        Image.fromarray(draw).save(tmp_path / name)
    strip = np.full((300, 20_000, 3), 240, np.uint8)
    strip[50:250, 2000:18_000] = 40
    Image.fromarray(strip).save(tmp_path / "debris/other/strip.png")
    Image.fromarray(strip).save(tmp_path / "photos/Mouse/strip.png")
    Image.new("L", (9000, 9000)).save(tmp_path / "debris/other/huge.png")
    (tmp_path / "photos/Battery/bad.jpg").write_bytes(b"no picture")
    pictures = PhotoFolders(tmp_path / "photos", tmp_path / "debris")
    load = Load(photos=1, debris=0.5)
    tracemalloc.start()
    pieces = list(itertools.islice(pieces_of(load, pictures, 1, Config()), 40))
    for piece in pieces:
        piece.draw()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # a strip 18 MB; turned as it is, it would be 800
    assert {line.split(": ")[0] for line in logged if line.startswith("skipped")} == {
        f"skipped {tmp_path / 'debris/other/huge.png'}",
        f"skipped {tmp_path / 'photos/Battery/bad.jpg'}",
    }
    assert "1 of 4 pictures could not be read" in logged
