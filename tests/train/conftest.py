"""A tiny run, trained for real: from scratch, on drawn items, once for all tests."""

import shutil
from pathlib import Path

import pytest

from edge.simulator.items import write_dataset


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory) -> Path:
    """Three classes of drawn items, 40 px, as train, val and test folders."""
    folder = tmp_path_factory.mktemp("drawn") / "items"
    write_dataset(folder, {"train": 8, "val": 3, "test": 3}, seed=3, size=40)
    for unused in folder.glob("*/*"):
        if unused.name not in ("Battery", "PCB", "Mouse"):
            shutil.rmtree(unused)
    return folder


@pytest.fixture
def own_data(three_classes, tmp_path) -> Path:
    """A copy of the drawn items that a test may spoil."""
    return Path(shutil.copytree(three_classes, tmp_path / "data"))
