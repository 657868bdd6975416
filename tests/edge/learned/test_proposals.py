"""Proposals beside the generations: whole, signed, answered once, and due by rule."""

import json
import shutil
from pathlib import Path

import pytest

from edge.bundle.history import read_history
from edge.errors import BadInput, EwasteError, Refused
from edge.learned.due import LEAST_CROPS, Situation, class_due, looked_at_until
from edge.learned.proposal import Decision, Proposal, ProposalAnswer, ProposalKind
from edge.learned.proposals import (
    MOST_REFUSED,
    PROPOSAL,
    PROPOSALS,
    accept,
    answers,
    place_proposal,
    proposals,
    reject,
    remove_outdated,
)
from edge.learned.store import current_generation
from tests.support.proposed import CREATED, new_class, recalibration, refused_class

BASE, OTHER = "a" * 64, "b" * 64
EVIL = "<img src=x onerror=alert(1)>"


def proposal(store: Path, items: int = 120, **changes: object) -> Proposal:
    return recalibration(store, BASE, items, **changes)


def refused(store: Path, label: str, items: int = LEAST_CROPS) -> Proposal:
    return refused_class(store, BASE, label, items)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state/learned"


def test_nothing_is_in_use_before_somebody_accepts(store: Path) -> None:
    number = place_proposal(store, proposal(store), {})
    assert current_generation(store) is None and [each.number for each in proposals(store)] == [1]
    taken = accept(store, number, base=BASE, by="Ada", now=1000.0)
    found = current_generation(store)
    assert found is not None and found.digest == taken.digest and found.manifest.by == "Ada"
    (entry,) = read_history(store).entries
    assert (entry.name, entry.by, entry.installed_at) == ("proposal 1: recalibrate", "Ada", 1000.0)
    (answer,) = answers(store)
    assert (answer.decision, answer.by, answer.at) == (Decision.ACCEPTED, "Ada", 1000.0)
    assert proposals(store) == []
    with pytest.raises(BadInput, match="no such proposal any more"):
        accept(store, number, base=BASE, by="Ben", now=1001.0)
    assert place_proposal(store, proposal(store), {}) == 2, "no number is given twice"


def test_a_rejected_one_is_gone_and_remembered(store: Path) -> None:
    number = place_proposal(store, proposal(store), {})
    reject(store, number, by="Ada", now=1000.0)
    assert proposals(store) == [] and current_generation(store) is None
    assert [each.decision for each in answers(store)] == [Decision.REJECTED]
    assert not (store / PROPOSALS / "1").exists()


@pytest.mark.parametrize("why", ["another bundle", "another generation", "the guard"])
def test_what_does_not_fit_any_more_is_not_accepted(store: Path, why: str) -> None:
    if why == "the guard":
        number = place_proposal(store, refused(store, "Phone"), {})
        with pytest.raises(BadInput, match="the guard refuses it: costs Battery 2.0 points"):
            accept(store, number, base=BASE, by="Ada", now=1.0)
    elif why == "another bundle":
        number = place_proposal(store, proposal(store), {})
        with pytest.raises(BadInput, match="prepared for another bundle than the one in use"):
            accept(store, number, base=OTHER, by="Ada", now=1.0)
        assert remove_outdated(store, BASE) == [] and remove_outdated(store, OTHER) == [number]
    else:
        first = place_proposal(store, proposal(store), {})
        accept(store, first, base=BASE, by="Ada", now=1.0)
        with pytest.raises(BadInput, match="something else was learned meanwhile"):
            place_proposal(store, proposal(store, parent=""), {})
        second = place_proposal(store, proposal(store), {})
        accept(store, second, base=BASE, by="Ada", now=2.0)
    assert len(answers(store)) == (2 if why == "another generation" else 0)


def test_one_is_open_of_a_kind_and_few_refused_stay(store: Path) -> None:
    for items in (120, 130):
        place_proposal(store, proposal(store, items), {})
    for label in "ABCDEFG":
        place_proposal(store, refused(store, label), {})
    kept = [each.proposal for each in proposals(store)]
    assert [each.items for each in kept if each and each.is_open] == [130]
    assert [each.label for each in kept if each and not each.is_open] == ["G", "F", "E", "D"]
    assert len(kept) == 1 + MOST_REFUSED


@pytest.mark.parametrize("forged", ["text", "signature", "swapped"])
def test_only_what_this_device_prepared_is_accepted(store: Path, forged: str) -> None:
    number = place_proposal(store, proposal(store), {})
    path = store / PROPOSALS / str(number)
    if forged == "text":
        changed = json.loads((path / PROPOSAL).read_text())
        changed["learned"]["calibration"]["temperature"] = 9.0
        (path / PROPOSAL).write_text(json.dumps(changed))
    elif forged == "signature":
        (path / "proposal.sig").write_bytes(b"\xff")
    else:
        (path / PROPOSAL).unlink()
        (path / PROPOSAL).symlink_to("/dev/zero")
    with pytest.raises(Refused):
        accept(store, number, base=BASE, by="Ada", now=1.0)
    assert proposals(store)[0].problem and current_generation(store) is None
    assert remove_outdated(store, BASE) == [number]


def test_a_file_that_was_altered_is_not_accepted(store: Path) -> None:
    made, files = new_class(store, BASE, "Toy")
    number = place_proposal(store, made, files)
    (store / PROPOSALS / str(number) / "adapter.npz").write_bytes(b"another")
    with pytest.raises(Refused, match="altered since it was prepared"):
        accept(store, number, base=BASE, by="Ada", now=1.0)
    number = place_proposal(store, made, files)
    taken = accept(store, number, base=BASE, by="Ada", now=1.0, bin_name="small")
    assert (taken.manifest.classes[0].bin, taken.contents["adapter.npz"]) == ("small", b"adapter")
    with pytest.raises(BadInput, match="something else was learned meanwhile"):
        place_proposal(store, made, files)
    number = place_proposal(store, proposal(store), {})
    with pytest.raises(BadInput, match="only a new class has a bin"):
        accept(store, number, base=BASE, by="Ada", now=1.0, bin_name="small")


def test_what_a_kill_leaves_is_no_proposal(store: Path, tmp_path: Path) -> None:
    number = place_proposal(store, proposal(store), {})
    folder = store / PROPOSALS
    half = folder / ".2.0123456789abcdef.new"
    half.mkdir()
    (half / PROPOSAL).write_text("{")
    assert [each.number for each in proposals(store)] == [number]
    shutil.copytree(folder / str(number), tmp_path / "kept")
    reject(store, number, by="Ada", now=1.0)
    shutil.copytree(tmp_path / "kept", folder / str(number))  # killed before it was taken away
    assert proposals(store) == []
    with pytest.raises(BadInput, match="no such proposal any more"):
        accept(store, number, base=BASE, by="Ada", now=2.0)
    assert place_proposal(store, proposal(store), {}) == 2
    assert sorted(each.name for each in folder.iterdir()) == ["2", "answers.json"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EwasteError, match="cannot be written"):
        place_proposal(tmp_path / "file/learned", proposal(tmp_path / "file/learned"), {})


def answer(label: str, items: int, decision: Decision, base: str = BASE) -> ProposalAnswer:
    kind = ProposalKind.NEW_CLASS if label else ProposalKind.RECALIBRATION
    return ProposalAnswer(
        number=1, kind=kind, label=label, base=base, items=items, decision=decision, by="A", at=50.0
    )


def test_the_same_crops_are_not_asked_about_twice(store: Path) -> None:
    crops = {"Phone": 25, EVIL: 21, "Toy": LEAST_CROPS - 1}
    assert class_due(Situation(BASE, ""), crops) == "Phone"
    no = answer("Phone", 25, Decision.REJECTED)
    assert class_due(Situation(BASE, "", answers=[no]), crops) == EVIL
    assert class_due(Situation(BASE, "", answers=[no]), {"Phone": 45}) == "Phone"
    elsewhere = answer("Phone", 25, Decision.REJECTED, base=OTHER)
    assert class_due(Situation(BASE, "", answers=[elsewhere]), {"Phone": 25}) == "Phone"
    waiting, _ = new_class(store, BASE, "Toy")
    assert class_due(Situation(BASE, "", [waiting]), crops) is None, "one after the other"
    assert class_due(Situation(BASE, "", [waiting]), {**crops, "Toy": 30}) == "Toy"
    kept = [refused(store, "Phone", 25)]
    assert class_due(Situation(BASE, "", kept), {"Phone": 34}) is None
    assert class_due(Situation(BASE, "", kept), {"Phone": 35}) == "Phone"
    assert class_due(Situation(BASE, ""), {}) is None


def test_reviews_count_from_the_last_look_on(store: Path) -> None:
    assert looked_at_until(Situation(BASE, "")) == 0.0
    assert looked_at_until(Situation(BASE, ""), 7.0) == 7.0
    no = answer("", 100, Decision.REJECTED)
    assert looked_at_until(Situation(BASE, "", answers=[no]), 7.0) == 50.0
    kept = [proposal(store)]
    assert looked_at_until(Situation(BASE, "", kept)) == CREATED.timestamp()
    assert looked_at_until(Situation(BASE, "c" * 64, kept)) == 0.0, "it cannot be accepted any more"
