import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import BadInput, EwasteError
from edge.photos.dataset import find_dataset
from train.download import DATASET, download

SCRIPT = Path(__file__).parents[2] / "train" / "download.py"


@pytest.fixture
def fetched(own_data, tmp_path):
    """The dataset as others lay it out: deeper, and with a name of their own for val."""
    folder = tmp_path / "cache" / "versions" / "1" / "modified-dataset"
    folder.parent.mkdir(parents=True)
    own_data.rename(folder)
    (folder / "val").rename(folder / "Validation")
    return tmp_path / "cache"


def test_the_dataset_is_laid_out_for_training(fetched, tmp_path):
    asked = []
    counts = download(tmp_path / "data", lambda name: asked.append(name) or str(fetched))
    assert asked == [DATASET]
    assert counts == {"train": 24, "val": 9, "test": 9}
    listing = find_dataset(tmp_path / "data")
    assert {split: len(photos) for split, photos in listing.items()} == counts
    assert not list(tmp_path.glob(".*.new"))


def test_without_a_network_it_is_one_line_and_nothing_is_left(tmp_path):
    def unreachable(name):
        raise ConnectionError("Name or service not known\nTraceback of the client")

    with pytest.raises(EwasteError, match="cannot be fetched.*not known") as caught:
        download(tmp_path / "data", unreachable)
    assert caught.value.exit_code == 1 and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_something_else_than_splits_is_refused(tmp_path):
    (tmp_path / "cache" / "train").mkdir(parents=True)
    with pytest.raises(EwasteError, match="no train, val and test folders"):
        download(tmp_path / "data", lambda name: str(tmp_path / "cache"))


def test_a_folder_in_use_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        download(tmp_path, lambda name: pytest.fail("fetched for nothing"))


def test_without_the_package_the_command_says_which(tmp_path):
    program = (
        "import sys, runpy; sys.modules['kagglehub'] = None; "
        f"sys.argv = ['download.py', '--out', {str(tmp_path / 'data')!r}]; "
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "pip install '.[train,kaggle]'" in done.stderr
