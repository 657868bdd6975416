import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from edge.errors import BadInput
from edge.photos.dataset import find_dataset, find_photos
from edge.photos.listing import SPLITS
from train.data.dataset import read_dataset, split_photos
from train.learning.fit import class_weights


def read(*sources, seed=0, **options):
    return read_dataset(sources, 64, seed, **options)


def names(split):
    return {f"{path.parent.name}/{path.name}" for path in split.paths}


@pytest.fixture
def unsplit(own_data):
    """CLASS/*.jpg, 14 photos of each of three classes, two of them copies of another."""
    folder = own_data.with_name("unsplit")
    for split in SPLITS:
        for photo in find_photos(own_data / split):
            (folder / photo.label).mkdir(parents=True, exist_ok=True)
            photo.path.rename(folder / photo.label / f"{split}-{photo.path.name}")
    for label in ("Mouse", "PCB"):
        original = folder / label / "train-0000.jpg"
        shutil.copy(original, folder / label / "exact.jpg")
        Image.open(original).resize((60, 60)).save(folder / label / "larger.jpg", quality=70)
    return folder


def write_listing(path, rows, header=("path", "label", "split")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_no_copy_is_in_two_splits_and_the_later_one_keeps_it(own_data):
    shutil.copy(own_data / "test" / "PCB" / "0000.jpg", own_data / "train" / "PCB" / "of_test.jpg")
    shutil.copy(own_data / "test" / "PCB" / "0000.jpg", own_data / "val" / "PCB" / "of_test.jpg")
    picture = Image.open(own_data / "val" / "Mouse" / "0001.jpg")
    picture.save(own_data / "train" / "Mouse" / "of_val.jpg", quality=50)
    plain = read(own_data)
    assert plain.left_out == {"train": 2, "val": 1}
    assert [len(split.classes) for split in plain.splits.values()] == [24, 9, 9]
    assert not {"PCB/of_test.jpg", "Mouse/of_val.jpg"} & (names(plain.train) | names(plain.val))
    dirty = [path for path, clean in zip(plain.test.paths, plain.clean, strict=True) if not clean]
    assert dirty == [own_data / "test" / "PCB" / "0000.jpg"]

    kept = read(own_data, keep_duplicates=True)
    assert kept.left_out == {"train": 0, "val": 0}
    assert [len(split.classes) for split in kept.splits.values()] == [26, 10, 9]
    np.testing.assert_array_equal(kept.clean, plain.clean)


def test_a_folder_without_splits_is_split_evenly_with_copies_together(unsplit):
    first, again, other = read(unsplit), read(unsplit), read(unsplit, seed=1)
    assert first.labels == ("Battery", "Mouse", "PCB")
    assert first.left_out == {"train": 0, "val": 0} and first.clean.all()
    assert sum(len(split.classes) for split in first.splits.values()) == 3 * 14 + 4
    for split in (first.val, first.test):
        assert set(np.bincount(split.classes, minlength=3)) <= {1, 2, 3}
    for label in ("Mouse", "PCB"):
        copies = {f"{label}/{name}.jpg" for name in ("train-0000", "exact", "larger")}
        assert sum(bool(copies & names(split)) for split in first.splits.values()) == 1
    assert [names(split) for split in first.splits.values()] == [
        names(split) for split in again.splits.values()
    ]
    assert names(first.test) != names(other.test)


def test_photos_are_split_eight_to_one_to_one_in_each_class():
    classes = np.repeat([0, 1], [100, 40])
    groups = np.arange(140)
    groups[:12] = 0
    splits = split_photos(classes, groups, ("Mouse", "PCB"), seed=5)
    assert len(set(splits[:12])) == 1
    for number, counts in ((0, (80, 10, 10)), (1, (32, 4, 4))):
        of_class = splits[classes == number].tolist()
        assert tuple(of_class.count(split) for split in SPLITS) == counts


def test_a_listing_is_read_with_its_splits(own_data):
    rows = [
        (photo.path.relative_to(own_data), {"PCB": "board"}.get(photo.label, "other"), split)
        for split, photos in find_dataset(own_data).items()
        for photo in photos
    ]
    dataset = read(write_listing(own_data / "photos.csv", rows))
    assert dataset.labels == ("board", "other")
    assert np.bincount(dataset.train.classes).tolist() == [8, 16]
    assert names(dataset.test) == names(read(own_data).test)


def test_a_listing_without_splits_is_split(unsplit):
    rows = [(photo.path.relative_to(unsplit), photo.label) for photo in find_photos(unsplit)]
    listing = write_listing(unsplit / "photos.csv", rows, ("path", "label"))
    assert names(read(listing).test) == names(read(unsplit).test)


@pytest.mark.parametrize(
    ("header", "row", "line"),
    [
        (("file", "label"), ("PCB/exact.jpg", "PCB"), "no column path"),
        (("path", "label"), ("PCB/gone.jpg", "PCB"), "line 2: labeled PCB, but there is no file"),
        (("path", "label"), ("PCB/exact.jpg", ""), "line 2: no label"),
        (("path", "label", "split"), ("PCB/exact.jpg", "PCB", "exam"), "line 2: split 'exam'"),
        (("path", "label", "split"), ("PCB/exact.jpg", "PCB", "train"), "no row of the split val"),
        (("path", "label"), ("PCB/exact.jpg", "PCB"), "one class only"),
        (("path", "label"), None, "lists no photos"),
    ],
)
def test_a_bad_listing_is_one_line(unsplit, header, row, line):
    listing = write_listing(unsplit / "photos.csv", [row] if row else [], header)
    with pytest.raises(BadInput, match=line) as caught:
        read(listing)
    assert str(listing) in str(caught.value) and "\n" not in str(caught.value)


def test_a_listing_with_splits_for_some_is_refused(unsplit):
    rows = [("PCB/exact.jpg", "PCB", "train"), ("PCB/larger.jpg", "PCB", "")]
    with pytest.raises(BadInput, match="1 photos have no split"):
        read(write_listing(unsplit / "photos.csv", rows))


def test_a_file_that_is_no_listing_is_one_line(three_classes):
    with pytest.raises(BadInput, match=r"0000.jpg: (not a CSV file|no column)"):
        read(three_classes / "train" / "PCB" / "0000.jpg")


def test_folders_that_cannot_be_trained_on_are_one_line(own_data, unsplit):
    with pytest.raises(BadInput, match="nowhere: no such folder"):
        read(own_data / "nowhere")
    for photo in sorted((unsplit / "Battery").iterdir())[2:]:
        photo.unlink()
    with pytest.raises(BadInput, match="Battery: 2 different photos"):
        read(unsplit)
    for label in ("Battery", "Mouse"):
        shutil.rmtree(unsplit / label)
    with pytest.raises(BadInput, match=r"one class only \(PCB\)"):
        read(unsplit)


def test_a_partly_split_folder_and_classes_that_train_lacks_are_one_line(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    (data / "test" / "PCB").rename(data / "test" / "Toaster")
    with pytest.raises(BadInput, match="test has the class Toaster, which train lacks"):
        read(data)
    shutil.rmtree(data / "val")
    with pytest.raises(BadInput, match="val: no such folder"):
        read(data)


def test_a_class_that_is_all_copies_is_named(own_data):
    for photo in (own_data / "train" / "PCB").iterdir():
        photo.unlink()
    shutil.copy(own_data / "test" / "PCB" / "0000.jpg", own_data / "train" / "PCB" / "only.jpg")
    with pytest.raises(BadInput, match="no photo to train on is left of PCB"):
        read(own_data)


def test_rare_classes_weigh_more_up_to_a_cap():
    assert class_weights(np.repeat([0, 1], [30, 20])) is None
    classes = np.repeat([0, 1, 2], [200, 50, 2])
    weights = class_weights(classes)
    assert weights[1] == pytest.approx(4 * weights[0])
    assert weights[2] == pytest.approx(10 * weights[0])
    assert np.mean([weights[number] for number in classes]) == pytest.approx(1)


def test_reviewed_pictures_of_a_few_classes_join_the_photos(own_data, tmp_path):
    """As `ewaste-edge export --review` writes them: some classes, some of them with one picture."""
    reviewed = tmp_path / "reviewed"
    for label, count in (("PCB", 1), ("Mouse", 10)):
        (reviewed / label).mkdir(parents=True)
        for number in range(count):
            noise = np.random.default_rng(number + count).integers(0, 256, (90, 90, 3), np.uint8)
            Image.fromarray(noise).save(reviewed / label / f"0.4-{number}.jpg")
    alone, joined = read(own_data), read(own_data, reviewed)
    assert joined.labels == alone.labels
    counts = {name: len(split.classes) for name, split in joined.splits.items()}
    grown = {name: counts[name] - len(split.classes) for name, split in alone.splits.items()}
    assert grown == {"train": 9, "val": 1, "test": 1}
    (reviewed / "Kettle").mkdir()
    (reviewed / "PCB" / "0.4-0.jpg").rename(reviewed / "Kettle" / "0.jpg")
    (reviewed / "PCB").rmdir()
    with pytest.raises(BadInput, match=r"other classes to train on than .* \(Kettle\)"):
        read(own_data, reviewed)
    (reviewed / "learned.json").write_text("{}")  # as `ewaste-edge learned export` leaves it
    assert read(own_data, reviewed).labels == (*alone.labels[:1], "Kettle", *alone.labels[1:])


def test_classes_that_differ_only_in_case_are_reported(own_data, tmp_path):
    for split in ("train", "val", "test"):
        shutil.copytree(own_data / split / "Mouse", own_data / split / "mouse")
    with pytest.raises(BadInput, match="'Mouse' and 'mouse' differ only in case"):
        read(own_data)
    for split in ("train", "test"):
        shutil.rmtree(own_data / split / "mouse")
    with pytest.raises(BadInput, match=r"val has the class mouse, .*\(but Mouse: write it"):
        read(own_data)
    with pytest.raises(BadInput, match="given twice"):
        read(own_data, own_data)


def test_what_is_left_out_is_logged(own_data, logged):
    (own_data / "train" / "PCB" / "board.xcf").write_bytes(b"")
    read_dataset([own_data], 64, 0)
    assert logged == [
        f"{own_data}: 1 left out: 1 with an unknown file extension (.xcf 1)",
    ]


def test_a_source_left_out_is_only_judged_on(own_data, unsplit):
    pixels = Image.open(unsplit / "PCB" / "exact.jpg")
    pixels.save(unsplit / "PCB" / "again.jpg", quality=80)
    (unsplit / "Mouse").rename(unsplit / "other-mouse")
    first = own_data.with_name("first")
    for label in ("Battery", "PCB"):
        for photo in sorted((unsplit / label).iterdir()):
            (first / label).mkdir(parents=True, exist_ok=True)
            Image.open(photo).rotate(180).save(first / label / photo.name)
    shutil.copy(unsplit / "PCB" / "exact.jpg", first / "PCB" / "copied.jpg")
    dataset = read(first, unsplit, left_out_sources=(unsplit,))
    assert dataset.labels == ("Battery", "PCB")
    assert dataset.outside is not None
    assert set(dataset.outside.sources) == {unsplit}
    assert not any(path.is_relative_to(unsplit) for path in dataset.train.paths)
    assert "PCB/copied.jpg" not in names(dataset.train) | names(dataset.val)
    assert dataset.negatives == ()


def test_photos_of_other_things_are_negatives(unsplit):
    (unsplit / "Mouse").rename(unsplit / "other-mouse")
    dataset = read(unsplit)
    assert dataset.labels == ("Battery", "PCB")
    assert {path.parent.name for path in dataset.negatives} == {"other-mouse"}


def test_two_classes_of_the_same_photos_are_refused(unsplit):
    shutil.rmtree(unsplit / "Mouse")
    shutil.copytree(unsplit / "PCB", unsplit / "Board")
    with pytest.raises(BadInput, match="the classes Board and PCB show the same photos"):
        read(unsplit)
