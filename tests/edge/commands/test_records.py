import json
from dataclasses import replace

from edge.records.store import RECORDS_NAME, Store
from tests.support.command import complaint, ewaste
from tests.support.records import RECORD, records


def test_export_writes_what_waits_for_review_and_all_records(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    with Store(state / RECORDS_NAME) as store:
        store.append([replace(RECORD, review="unsure"), replace(RECORD, item_id="sure")])
    review, table = tmp_path / "review", tmp_path / "records.csv"
    done = ewaste("export", "--state", state, "--review", review, "--csv", table, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"records": 2, "pictures": 1, "reviewed": 0}
    assert [path.name for path in review.glob("*/*.jpg")] == ["0.970-run-0.jpg"]
    assert len(table.read_text().splitlines()) == 3
    for arguments, named in (
        (("--state", state), "--review"),
        (("--state", tmp_path, "--csv", table), "no records yet"),
        (("--state", state, "--review", review), "new or empty"),
    ):
        done = ewaste("export", *arguments)
        assert done.returncode == 2 and named in complaint(done)


def test_export_of_damaged_records_writes_what_it_can_and_says_so(tmp_path):
    path = tmp_path / RECORDS_NAME
    with Store(path) as store:
        store.append(records(500))
    whole = path.read_bytes()
    at = whole.rindex(b"run-200", 0, whole.rindex(b"run-200"))
    page = at // 4096
    path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
    table = tmp_path / "records.csv"
    done = ewaste("export", "--state", tmp_path, "--csv", table)
    assert done.returncode == 1
    assert "is damaged" in complaint(done) and "could not be read" in complaint(done)
    assert 400 < len(table.read_text().splitlines()) < 501
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    done = ewaste("export", "--state", tmp_path, "--csv", tmp_path / "none.csv")
    assert done.returncode == 1 and "is damaged" in complaint(done)
