"""Groups of look-alikes: one answer for all, and no figure that it may make better or worse."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BadInput
from edge.inference.embedding_code import CODE_SIZE
from edge.records.audits import Audit, AuditedBin, DrawnItem, judge, to_judge
from edge.records.export import export_review
from edge.records.lookalikes import look_alikes
from edge.records.measured import measured
from edge.records.period import Period
from edge.records.review import SAMPLE
from edge.records.reviews import (
    FOR_TRAINING,
    NoClass,
    ReviewStore,
    group_size,
    history,
    last_standing,
)
from edge.records.search import find_item
from edge.records.store import Store
from tests.support.records import RECORD

ROOT = Path(__file__).parents[3]
NOW = 1_800_000_000.0
RNG = np.random.default_rng(4)
KINDS = RNG.integers(-100, 100, (2, CODE_SIZE))


def code(kind: int, far: int = 3) -> bytes:
    """A code much like others of its kind."""
    return (KINDS[kind] + RNG.integers(-far, far + 1, CODE_SIZE)).astype(np.int8).tobytes()


def waiting(name: str, kind: int = 0, **changes):
    doubt = {"review": "unsure", "top_label": "Mouse", "label": "unknown", "bin": "manual"}
    return replace(RECORD, item_id=name, **{"code": code(kind), **doubt, **changes})


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "records.db"
    others = [
        waiting("unlike", kind=1),
        waiting("another class", top_label="PCB"),
        waiting("another bundle", bundle="sha256:2e"),
        waiting("of the sample", review=SAMPLE),
        waiting("for nobody", review=""),
        waiting("without a crop", crop=b""),
        waiting("without a code", code=b""),
    ]
    with Store(path) as store:
        store.append([*others, *(waiting(f"like-{number}") for number in range(8))])
    return path


def alike(path: Path, name: str) -> set[str]:
    with Store(path, read_only=True) as store:
        return {each.record.item_id for each in look_alikes(store, find_item(store, name))}


LIKE = [f"like-{number}" for number in range(8)]


def test_look_alikes_wait_for_review_and_are_of_one_bundle_and_class(path):
    assert alike(path, "like-3") == set(LIKE) - {"like-3"}
    for name in ("unlike", "another class", "another bundle", "of the sample", "without a code"):
        assert alike(path, name) == set()
    with ReviewStore(path) as store:
        store.give("like-1", label="Mouse", by="anna", at=NOW)
        store.give("like-2", no_class=NoClass.OTHER, by="anna", at=NOW)
    assert alike(path, "like-3") == set(LIKE) - {"like-1", "like-2", "like-3"}
    assert alike(path, "like-1") == set(), "it does not wait any more"


def test_one_answer_is_a_row_of_each_item_and_one_undo_takes_all_back(path):
    with ReviewStore(path) as store:
        store.give("like-5", label="PCB", by="bert", at=NOW)
        store.give_group("like-7", LIKE[:5], label="Mouse", by="anna", at=NOW + 1)
        last = last_standing(store, "anna")
        assert last.item_id == "like-7" and group_size(store, last) == 6
        for name in ("like-7", *LIKE[:5]):
            (answer,) = history(store, name)
            assert (answer.label, answer.reviewer, answer.reviewed_at) == ("Mouse", "anna", NOW + 1)
            assert answer.grouped == last.grouped is not None
        assert group_size(store, history(store, "like-5")[0]) == 1
        store.give("like-2", no_class=NoClass.OTHER, by="anna", at=NOW + 2)
        store.undo(last.number, "like-7", by="anna", at=NOW + 3)
        answers = {each.item_id: (each.reviewed, each.no_class) for each in store.all()}
        assert answers["like-5"] == ("PCB", "") and answers["like-2"] == ("", "other")
        assert all(answers[name] == ("", "") for name in ("like-7", "like-0", "like-1", "like-4"))
        assert {each.undone_at for each in history(store, "like-0")} == {NOW + 3}
        with pytest.raises(BadInput, match="nothing was undone"):
            store.undo(last.number, "like-7", by="anna", at=NOW + 4)


@pytest.mark.parametrize(
    "wrong",
    ["of the sample", "another bundle", "without a code", "without a crop", "nobody", "for nobody"],
)
def test_a_group_is_answered_on_whole_or_not_at_all(path, wrong):
    with ReviewStore(path) as store:
        for first, others in (("like-7", ["like-1", wrong]), (wrong, ["like-1"])):
            with pytest.raises(BadInput, match="look again"):
                store.give_group(first, others, label="Mouse", by="anna", at=NOW)
        for others in (["like-7"], ["like-1", "like-1"], [f"x{number}" for number in range(16)]):
            with pytest.raises(BadInput, match="each of them once"):
                store.give_group("like-7", others, label="Mouse", by="anna", at=NOW)
        assert last_standing(store, "anna") is None
        assert not any(each.reviewed for each in store.all())


def test_only_a_few_that_differ_are_for_training(path, tmp_path):
    with ReviewStore(path) as store:
        store.give_group("like-7", LIKE[:7], label="Keyboard", by="anna", at=NOW)
        chosen = {name for name in LIKE if history(store, name)[0].for_training}
        assert "like-7" in chosen and len(chosen) == FOR_TRAINING
        exported = export_review(store.to_review(), tmp_path / "out", lambda _: None)
        written = {place.stem for place in (tmp_path / "out" / "Keyboard").glob("*.jpg")}
        assert written == {f"0.970-{name}" for name in chosen}
        assert exported.reviewed == FOR_TRAINING
        assert sum(each.reviewed == "Keyboard" for each in store.all()) == 8, "all are reviewed"
        left_out = next(name for name in LIKE if name not in chosen)
        store.give(left_out, label="Keyboard", by="anna", at=NOW + 1)
        assert left_out in {each.item_id for each in store.to_review()}, "judged alone"


def test_a_group_changes_nothing_of_the_unbiased_figures(path):
    with ReviewStore(path) as store:
        store.give("of the sample", label="Mouse", by="anna", at=NOW)
        sample = measured(store)[0]
        store.give_group("like-7", LIKE[:7], label="PCB", by="anna", at=NOW)
        assert measured(store)[0] == sample and sample.accuracy.total == 1
        assert measured(store)[1].accuracy.total == 8, "they are counted among the doubtful"


def test_an_audit_is_judged_item_by_item(path):
    drawn = tuple(DrawnItem(name, "mixed") for name in ("like-0", "like-6", "like-7"))
    audit = Audit(
        number=1,
        period=Period(0, 2e9),
        per_bin=3,
        seed="x",
        bins={"Mouse": "mixed"},
        by="anna",
        drawn_at=NOW,
        audited={"mixed": AuditedBin(8, 8)},
        drawn=drawn,
    )
    with ReviewStore(path) as store:
        store.give("like-6", label="Mouse", by="anna", at=NOW)
        store.give_group("like-7", LIKE[:6], label="Mouse", by="anna", at=NOW)
        assert to_judge(store, audit) == ["like-0", "like-7"]
        assert judge(store, audit).purities[0].judged == 1
        store.give("like-0", label="PCB", by="anna", at=NOW)
        assert to_judge(store, audit) == ["like-7"]
        assert (judge(store, audit).purities[0].judged, judge(store, audit).purities[0].right) == (
            2,
            1,
        )


def test_codes_go_with_the_crops(path):
    with Store(path) as store:
        assert store.read("SELECT COUNT(*) FROM codes")[0][0] == 12
        store.prune(1e6, 0.0)
        assert store.read("SELECT COUNT(*) FROM crops") == [(0,)]
        assert store.read("SELECT COUNT(*) FROM codes") == [(0,)]


GIVE = """
import sys
from pathlib import Path
from edge.records.reviews import ReviewStore, last_standing
names = [f"like-{number}" for number in range(8)]
with ReviewStore(Path(sys.argv[1])) as store:
    for number in range(10**9):
        store.give_group(names[0], names[1:], label=f"class {number}", by="anna", at=number + 1.0)
        print(number, flush=True)
        last = last_standing(store, "anna")
        store.undo(last.number, last.item_id, by="anna", at=number + 2.0)
"""


def test_a_group_is_whole_after_a_kill(path):
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", GIVE, str(path)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        for line in child.stdout:
            if int(line) == 5:
                break
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with ReviewStore(path) as store:
            labels = {each.reviewed for each in store.all() if each.item_id in LIKE}
            assert len(labels) == 1, "all of the group, or none"
            last = last_standing(store, "anna")
            if last is not None:
                store.undo(last.number, last.item_id, by="anna", at=NOW)
