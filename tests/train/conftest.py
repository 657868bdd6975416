"""A tiny run, trained for real: from scratch, on drawn items, once for all tests."""

import shutil
from pathlib import Path

import pytest

from edge.synthetic.items import write_dataset
from tests.support.legacy_weights import write_legacy


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
    """A copy of the drawn items that a test may corrupt."""
    return Path(shutil.copytree(three_classes, tmp_path / "data"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A weights file without the last stage, its weights random."""
    import keras

    keras.utils.set_random_seed(5)
    model = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path_factory.mktemp("weights") / "partial.h5"
    write_legacy(model, path, lambda name: not name.startswith("conv5"))
    return path
