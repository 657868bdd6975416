import csv
import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edge.cells import from_cell, to_cell
from edge.errors import BadInput, EwasteError
from edge.labels import UNKNOWN
from edge.photos.class_folders import CLASS_FOLDERS
from edge.photos.dataset import find_photos
from edge.records.export import LISTING, export_csv, export_review
from tests.support.records import RECORD


def test_pictures_lie_under_the_persons_label_else_the_top_label(tmp_path):
    records = [
        replace(RECORD, item_id="a", label="Mouse"),
        replace(RECORD, item_id="b", label=UNKNOWN, top_label="PCB", confidence=0.4),
        replace(RECORD, item_id="c", label=UNKNOWN, top_label="PCB", reviewed="Player"),
        replace(RECORD, item_id="d", label=UNKNOWN, top_label=""),
    ]
    skipped: list[str] = []
    done = export_review(records, tmp_path / "out", skipped.append)
    assert (done.pictures, done.reviewed) == (3, 1) and len(skipped) == 1
    found = {photo.path.name: photo.label for photo in find_photos(tmp_path / "out")}
    assert found == {"0.970-a.jpg": "Mouse", "0.400-b.jpg": "PCB", "0.970-c.jpg": "Player"}
    assert (tmp_path / "out" / "PCB" / "0.400-b.jpg").read_bytes() == RECORD.crop
    with (tmp_path / "out" / LISTING).open(newline="") as file:
        rows = {row["item_id"]: row for row in csv.DictReader(file)}
    assert rows["c"]["label"] == "Player" and rows["c"]["predicted"] == UNKNOWN
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_person_has_sorted_is_not_overwritten(tmp_path):
    (tmp_path / "out" / "PCB").mkdir(parents=True)
    with pytest.raises(BadInput, match="new or empty"):
        export_review([RECORD], tmp_path / "out", print)
    for nothing, expected in (
        ([], "no picture"),
        ([replace(RECORD, label="")], "none has a class"),
    ):
        with pytest.raises(BadInput, match=expected):
            export_review(nothing, tmp_path / "other" / "deeper", lambda line: None)
    with pytest.raises(EwasteError, match="cannot be written"):
        export_csv([RECORD], tmp_path / "nowhere" / "records.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


ODD_LABELS = [
    *(
        "CD/DVD",
        "CD%2FDVD",
        "..",
        ".",
        "../../up",
        "/etc",
        ".hidden",
        "a\\b",
        "C:x",
        "nul",
        "Mouse.",
    ),
    *("=1+1", "-x", "@x", "+x", "'=1+1", "train", "Valid", "__MACOSX", "mouse", "Mouse", "MOUSE"),
    *(
        "K\u00e9ram",
        "x" * 190,
        "x" * 189 + "y",
        "\u00e9" * 99,
        'say "so", twice',
        "Mouse [/usb]",
        "%2e%2e",
    ),
]


def test_every_label_has_a_folder_of_its_own_that_training_reads_back(tmp_path):
    records = [
        replace(RECORD, item_id=f"i{number}", label=label)
        for number, label in enumerate(ODD_LABELS)
    ]
    done = export_review(records, tmp_path / "out", pytest.fail)
    assert done.pictures == len(ODD_LABELS)
    found = {photo.path.name: photo.label for photo in find_photos(tmp_path / "out")}
    assert found == {f"0.970-i{number}.jpg": label for number, label in enumerate(ODD_LABELS)}
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing beside it"
    folders = [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert len({name.casefold() for name in folders}) == len(ODD_LABELS)
    assert max(len(name.encode()) for name in folders) <= 150
    with (tmp_path / "out" / LISTING).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [from_cell(row["label"]) for row in rows] == ODD_LABELS
    assert all((tmp_path / "out" / row["path"]).is_file() for row in rows)


def test_all_records_as_csv(tmp_path):
    records = [replace(RECORD, item_id=f"i{n}", detail='say "no", twice\n') for n in range(3)]
    assert export_csv(records, tmp_path / "records.csv") == 3
    with (tmp_path / "records.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["item_id"] for row in rows] == ["i0", "i1", "i2"]
    assert (
        rows[0]["reason"] == "sorted"
        and rows[0]["detail"] == 'say "no", twice\n'
        and "crop" not in rows[0]
    )
    assert float(rows[0]["decided_at"]) == RECORD.decided_at


def test_cells_that_begin_like_formulas_are_text_and_numbers_stay_numbers(tmp_path):
    texts = [
        "=HYPERLINK(1)",
        "+1",
        "-1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\uff1d1",
        "'=1",
        "''-1",
        "'tis",
        "",
    ]
    records = [
        replace(RECORD, item_id=f"i{number}", detail=text, label=text, offset_mm=-12.5)
        for number, text in enumerate(texts)
    ]
    export_csv(records, tmp_path / "records.csv")
    with (tmp_path / "records.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert not [
        cell
        for row in rows
        for cell in (row["detail"], row["label"])
        if to_cell(cell) != cell and cell[0] != "'"
    ]
    assert [from_cell(row["detail"]) for row in rows] == texts
    assert {row["offset_mm"] for row in rows} == {"-12.5"}
    assert [from_cell(to_cell(text)) for text in texts] == texts


def test_what_is_no_file_is_written_to_and_links_are_followed(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert export_csv([RECORD], pipe) == 1
    reader.join(5)
    assert read[0].startswith(b"item_id,") and pipe.is_fifo()
    (tmp_path / "share").mkdir()
    target = tmp_path / "share" / "records.csv"
    target.touch(0o640)
    link, dangling = tmp_path / "link.csv", tmp_path / "dangling.csv"
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "share" / "new.csv")
    hard = tmp_path / "hard.csv"
    hard.hardlink_to(target)
    for path in (link, dangling, hard, link):
        export_csv([RECORD, RECORD], path)
    assert link.is_symlink() and dangling.is_symlink() and (tmp_path / "share" / "new.csv").exists()
    assert hard.samefile(target) and len(target.read_text().splitlines()) == 3
    assert target.stat().st_mode & 0o777 == 0o640
    umask = os.umask(0o022)
    os.umask(umask)
    assert (tmp_path / "share" / "new.csv").stat().st_mode & 0o777 == 0o666 & ~umask
    left = sorted(path.name for path in [*tmp_path.iterdir(), *(tmp_path / "share").iterdir()])
    assert not [name for name in left if name.startswith(".")]


def test_a_number_that_no_open_file_can_have_is_bad_input():
    with pytest.raises(BadInput, match="there is no such open file"):
        export_csv([], Path("/dev/fd/99999999999999999999"))


def test_what_export_did_not_make_is_never_replaced(tmp_path):
    foreign, store = tmp_path / "letter.txt", tmp_path / "records.db-wal"
    foreign.write_text("dear all")
    store.touch()
    (tmp_path / "round").symlink_to("round")
    for path, expected in (
        (foreign, "something else than is written here"),
        (store, "the records themselves"),
        (tmp_path, "is a folder"),
        (Path(), "is a folder"),
    ):
        with pytest.raises(BadInput, match=expected):
            export_csv([RECORD], path, [store])
    for path in (tmp_path / "round", tmp_path / "none" / "x.csv", Path("/dev/full")):
        with pytest.raises(EwasteError, match="cannot be written") as caught:
            export_csv([RECORD] * 2000, path)
        assert caught.value.exit_code == 1
    with pytest.raises(EwasteError):
        export_review([RECORD], tmp_path / "round", print)
    with pytest.raises(BadInput, match="no folder"):
        export_review([RECORD], foreign, print)
    precious = tmp_path / ".out.new"
    precious.mkdir()
    (precious / "thesis").touch()
    export_review([RECORD], tmp_path / "out", print)
    assert foreign.read_text() == "dear all" and (precious / "thesis").exists()
    assert not store.read_bytes()


def test_an_empty_folder_is_filled_and_stays_what_it_is(tmp_path):
    (tmp_path / "real").mkdir(mode=0o750)
    (tmp_path / "link").symlink_to("real")
    export_review([RECORD], tmp_path / "link", print)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o750
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["Battery", LISTING]


def test_a_disk_that_is_full_leaves_nothing_behind(small_disk):
    records = [replace(RECORD, item_id=f"i{n}", crop=os.urandom(20_000)) for n in range(100)]
    for write in (
        lambda: export_review(records, small_disk / "a" / "b" / "out", print),
        lambda: export_review(records, small_disk, print),
        lambda: export_csv(records * 200, small_disk / "records.csv"),
    ):
        with pytest.raises(EwasteError, match=os.strerror(errno.ENOSPC)):
            write()
        assert not list(small_disk.iterdir())
    assert export_review(records[:20], small_disk, print).pictures == 20, "a disk of its own"


def test_two_records_of_one_id_keep_both_pictures_and_a_corrupted_one_has_a_name(tmp_path):
    corrupted = replace(RECORD, item_id="x/" * 500, confidence=1e300)
    export_review([RECORD, RECORD, corrupted, corrupted], tmp_path / "out", print)
    assert len(list((tmp_path / "out").glob("*/*.jpg"))) == 4


@pytest.mark.parametrize("content", ["a,b\n", "folder,label\nx\n", 'folder,label\n"x\n', "\0\0\0"])
def test_a_list_of_folders_that_is_none_is_reported(tmp_path, content):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.jpg").touch()
    (tmp_path / CLASS_FOLDERS).write_text(content)
    with pytest.raises(BadInput, match=CLASS_FOLDERS):
        find_photos(tmp_path)
