"""Drawn photos of four classes, for a tiny network to learn."""

from pathlib import Path

from PIL import Image

from edge.synthetic.items import draw_item

LABELS = ("Battery", "Keyboard", "PCB", "Washing Machine")
SIZE = 48
"""Side of the tiny network's input, px."""


def draw_data(folder: Path) -> None:
    """Draw `train/` and `test/`, 16 items a class; see the fixture `drawn_data`."""
    for label in LABELS:
        for split in ("train", "test"):
            (folder / split / label).mkdir(parents=True)
        for seed in range(16):
            item = Image.fromarray(draw_item(label, seed, 2 * SIZE))
            for split, gray in (("train", 140), ("train", 230), ("test", 190)):
                background = Image.new("RGBA", item.size, (gray, gray, gray))
                picture = Image.alpha_composite(background, item).convert("RGB")
                picture.save(folder / split / label / f"{seed}-{gray}.png")
