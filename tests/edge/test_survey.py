import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from edge.errors import BadInput
from edge.photos.dataset import DEEPEST, dataset_names, find_dataset, find_photos, survey
from edge.photos.listing import UNSPLIT, LeftOutReason

SYSTEM_FOLDERS = ".ipynb_checkpoints", ".git", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found"


@pytest.fixture
def photos(tmp_path):
    """CLASS/*.jpg: two photos of each of two classes."""
    folder = tmp_path / "photos"
    for label in ("Battery", "Mouse"):
        (folder / label).mkdir(parents=True)
        for number in range(2):
            picture = Image.new("RGB", (8, 8), (90 * number, 100, len(label)))
            picture.save(folder / label / f"{number}.jpg")
    return folder


def left_out(data):
    return {(left.path.name, left.reason) for left in survey(data).left_out}


def counted(data):
    labels = [photo.label for photo in find_dataset(data)[UNSPLIT]]
    return {label: labels.count(label) for label in sorted(set(labels))}


def test_photos_in_folders_within_a_class_are_of_the_class_and_that_is_reported(photos):
    (photos / "Battery" / "AA" / "front").mkdir(parents=True)
    shutil.copy(photos / "Battery" / "0.jpg", photos / "Battery" / "AA")
    shutil.copy(photos / "Battery" / "0.jpg", photos / "Battery" / "AA" / "front" / "b.JPG")
    assert counted(photos) == {"Battery": 4, "Mouse": 2}
    assert survey(photos).notes() == [
        f"{photos}: 2 photos lie in folders within their class (Battery/AA, AA/front)"
    ]


def test_what_is_left_out_is_named_with_its_reason(photos):
    mouse = photos / "Mouse"
    (mouse / "notes.txt").write_text("")
    (mouse / ".hidden.jpg").write_text("")
    (mouse / "._0.jpg").write_text("")
    (mouse / "Thumbs.db").write_text("")
    (mouse / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(mouse / "pipe.jpg")
    (photos / "beside.jpg").write_text("")
    (photos / "README.md").write_text("")
    for system in (
        ".ipynb_checkpoints",
        "__MACOSX",
        "@eaDir",
        "$RECYCLE.BIN",
        "lost+found",
        ".git",
    ):
        (photos / system).mkdir()
        shutil.copy(mouse / "0.jpg", photos / system)
    assert left_out(photos) == {
        ("notes.txt", LeftOutReason.ENDING),
        (".hidden.jpg", LeftOutReason.HIDDEN),
        ("._0.jpg", LeftOutReason.HIDDEN),
        ("Thumbs.db", LeftOutReason.SYSTEM),
        ("gone.jpg", LeftOutReason.BROKEN_LINK),
        ("pipe.jpg", LeftOutReason.NOT_A_FILE),
        ("beside.jpg", LeftOutReason.BESIDE),
        (".ipynb_checkpoints", LeftOutReason.HIDDEN),
        (".git", LeftOutReason.HIDDEN),
        ("__MACOSX", LeftOutReason.SYSTEM),
        ("@eaDir", LeftOutReason.SYSTEM),
        ("$RECYCLE.BIN", LeftOutReason.SYSTEM),
        ("lost+found", LeftOutReason.SYSTEM),
    }
    (note,) = survey(photos).notes()
    assert "13 left out" in note and "1 with an unknown file extension (.txt 1)" in note
    assert counted(photos) == {"Battery": 2, "Mouse": 2}


def test_links_are_followed_but_never_in_circles(photos):
    elsewhere = photos.with_name("elsewhere")
    shutil.copytree(photos / "Mouse", elsewhere)
    (photos / "Mouse" / "more").symlink_to(elsewhere)
    (photos / "Mouse" / "more again").symlink_to(elsewhere)
    (photos / "Mouse" / "up").symlink_to(photos)
    (photos / "Mouse" / "self").symlink_to(photos / "Mouse")
    (photos / "Mouse" / "loop").symlink_to(photos / "Mouse" / "loop")
    assert counted(photos) == {"Battery": 2, "Mouse": 4}
    assert left_out(photos) == {
        ("more again", LeftOutReason.LINK_UP),
        ("up", LeftOutReason.LINK_UP),
        ("self", LeftOutReason.LINK_UP),
        ("loop", LeftOutReason.BROKEN_LINK),
    }


def test_endless_folders_end(photos):
    deep = photos / "Mouse" / Path(*["d"] * (DEEPEST + 3))
    deep.mkdir(parents=True)
    shutil.copy(photos / "Mouse" / "0.jpg", deep)
    assert {reason for _, reason in left_out(photos)} == {LeftOutReason.TOO_DEEP}


@pytest.mark.parametrize(
    "name",
    ["valid", "validation", "Val", "VALIDATION", "val_images", "validation set", "val-data"],
)
def test_splits_are_taken_by_their_usual_names_and_that_is_reported(photos, tmp_path, name):
    data = tmp_path / "data"
    for split in ("Training", name, "TEST"):
        shutil.copytree(photos, data / split)
    assert list(find_dataset(data)) == ["train", "val", "test"]
    (note,) = survey(data).notes()
    assert f"{name} is taken as val" in note and "TEST is taken as test" in note


@pytest.mark.parametrize("name", ["eval", "Evaluation", "holdout", "hold-out", "fold1"])
def test_a_part_that_may_be_for_anything_is_refused(photos, tmp_path, name):
    shutil.copytree(photos, tmp_path / "data" / "train")
    shutil.copytree(photos, tmp_path / "data" / name)
    with pytest.raises(BadInput, match=rf"{name}: holds folders.*rename it to one of train"):
        survey(tmp_path / "data")


def test_folders_that_hold_the_classes_are_no_classes(photos, tmp_path):
    for name in ("first", "second"):
        shutil.copytree(photos, tmp_path / "data" / name)
    with pytest.raises(BadInput, match="first, second each hold a folder Battery and no photo"):
        survey(tmp_path / "data")


def test_names_of_class_folders_hold_for_all_splits(photos, tmp_path):
    for split in ("train", "test"):
        shutil.copytree(photos, tmp_path / "data" / split)
    (tmp_path / "data" / "class-folders.csv").write_text("folder,label\nMouse,A/B\n")
    for listed in find_dataset(tmp_path / "data").values():
        assert {photo.label for photo in listed} == {"A/B", "Battery"}


def test_classes_that_differ_in_case_alone_are_reported(photos):
    shutil.copytree(photos / "Mouse", photos / "mouse")
    assert "Mouse and mouse; give them one name" in survey(photos).notes()[0]


def test_two_folders_that_are_one_split_are_refused(photos, tmp_path):
    for split in ("val", "valid", "train", "test"):
        shutil.copytree(photos, tmp_path / "data" / split)
    with pytest.raises(BadInput, match="val and valid are both a val split"):
        find_dataset(tmp_path / "data")


def test_splits_and_class_folders_mixed_are_distinguished(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "whole" / "train")
    shutil.copytree(photos / "Mouse", tmp_path / "whole" / "PCB")
    with pytest.raises(BadInput, match="holds the split train and beside it folders of photos"):
        find_dataset(tmp_path / "whole")
    for split in ("val", "test"):
        shutil.copytree(photos, tmp_path / "whole" / split)
    assert left_out(tmp_path / "whole") == {("PCB", LeftOutReason.BESIDE)}
    # The whole dataset taken for a class: given one folder too high.
    (tmp_path / "whole" / "PCB").rename(tmp_path / "elsewhere")
    (tmp_path / "high").mkdir()
    (tmp_path / "whole").rename(tmp_path / "high" / "whole")
    with pytest.raises(BadInput, match=r"high/whole: holds a split \(test\) itself"):
        find_dataset(tmp_path / "high")


def test_the_same_name_in_two_forms_of_unicode_is_one_class(photos):
    for form in ("NFC", "NFD"):
        shutil.copytree(photos / "Mouse", photos / unicodedata.normalize(form, "Téléphone"))
    assert counted(photos) == {"Battery": 2, "Mouse": 2, "Téléphone": 4}


@pytest.mark.parametrize(
    "name", ["Battery ", "Washing\N{NO-BREAK SPACE}Machine", "unknown", "a\nb"]
)
def test_a_folder_that_is_no_label_is_refused_in_one_line(photos, name):
    (photos / "Mouse").rename(photos / name)
    with pytest.raises(BadInput, match="a label must|is what items") as caught:
        find_photos(photos)
    assert "rename the folder" in str(caught.value) and "\n" not in str(caught.value)


def test_file_names_of_any_bytes_are_carried(photos):
    raw = os.fsencode(photos / "Mouse") + b"/gr\xfcn\n\x1b[31m.jpg"
    shutil.copy(photos / "Mouse" / "0.jpg", raw)
    assert raw in [os.fsencode(photo.path) for photo in find_photos(photos)]


def test_what_may_not_be_read_is_reported_as_such(photos, monkeypatch):
    def refuse(folder):  # root may read everything, so this is played
        if Path(folder).name == "Mouse":
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(BadInput, match=r"Mouse: cannot be read \(Permission denied\)"):
        find_photos(photos)


def test_no_folder_at_all_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for data, line in (
        (tmp_path / "pipe", "neither a folder"),
        (Path("/dev/zero"), "neither a folder"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (tmp_path / "nowhere", "no such folder"),
    ):
        with pytest.raises(BadInput, match=line):
            survey(data)


def test_two_datasets_of_one_name_stay_two(tmp_path):
    sources = [tmp_path / year / "photos" for year in ("2023", "2024")] + [tmp_path / "more"]
    assert list(dataset_names(sources).values()) == ["2023/photos", "2024/photos", "more"]
    within = [tmp_path / "photos", tmp_path / "a" / "photos", tmp_path / "b" / "photos"]
    assert len(set(dataset_names(within).values())) == 3
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(BadInput, match="given twice"):
        dataset_names([tmp_path, tmp_path / "link"])
