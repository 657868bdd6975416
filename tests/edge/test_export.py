import csv
from dataclasses import replace

import pytest

from edge.dataset import find_photos
from edge.decision import UNKNOWN
from edge.errors import BadInput, EwasteError
from edge.export import LISTING, export_csv, export_review, picture_path
from tests.edge.test_store import RECORD


def test_pictures_lie_under_the_persons_label_else_the_likeliest(tmp_path):
    records = [
        replace(RECORD, item_id="a", label="Mouse"),
        replace(RECORD, item_id="b", label=UNKNOWN, likeliest="PCB", confidence=0.4),
        replace(RECORD, item_id="c", label=UNKNOWN, likeliest="PCB", reviewed="Player"),
        replace(RECORD, item_id="d", label=UNKNOWN, likeliest=""),
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
    with pytest.raises(BadInput, match="no picture"):
        export_review([], tmp_path / "other", print)
    with pytest.raises(EwasteError, match="cannot be written"):
        export_csv([RECORD], tmp_path / "nowhere" / "records.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("label", ["../up", "a/b", ".hidden", "..", "\0"])
def test_no_label_leads_out_of_the_folder(label):
    assert picture_path(replace(RECORD, label=label)) is None
    strange = picture_path(replace(RECORD, item_id="../../x"))
    assert strange is not None and len(strange.parts) == 2


def test_all_records_as_csv(tmp_path):
    records = [replace(RECORD, item_id=f"i{n}", reason='say "no", twice\n') for n in range(3)]
    assert export_csv(records, tmp_path / "records.csv") == 3
    with (tmp_path / "records.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["item_id"] for row in rows] == ["i0", "i1", "i2"]
    assert rows[0]["reason"] == 'say "no", twice\n' and "crop" not in rows[0]
    assert float(rows[0]["decided_at"]) == RECORD.decided_at
