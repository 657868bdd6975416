"""What is due is proposed from reviews with a small real bundle, and nothing is put into use."""

import pytest

from edge.errors import BadInput
from edge.labels import UNKNOWN
from edge.learned.due import LEAST_CROPS, LEAST_NEW_REVIEWS
from edge.learned.preparing import LearnOutcome, prepare
from edge.learned.proposal import ProposalKind
from edge.learned.proposals import accept, proposals, read_proposal, reject
from edge.learned.store import current_generation
from edge.records.review import SAMPLE, UNSURE
from edge.records.reviews import NoClass, ReviewStore
from edge.records.store import RECORDS_NAME
from tests.support.reviewed_site import EACH, NOW, RIBBON, Site

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path, tiny_bundle) -> Site:
    return Site(tmp_path, tiny_bundle)


def test_a_recalibration_is_proposed_once_and_in_use_once_accepted(site):
    site.review_the_draw()
    learned = site.board.learned
    (note,) = prepare(site.board, NOW)
    assert (note.kind, note.outcome) == (ProposalKind.RECALIBRATION, LearnOutcome.PROPOSED), note
    found = read_proposal(learned, note.number)
    assert found.after["cost"] < found.before["cost"] and len(found.shown) == 50
    assert found.items == 4 * EACH and current_generation(learned) is None
    assert prepare(site.board, NOW + 1) == [] and site.loaded == 1, "the same is not asked twice"
    accept(learned, note.number, base=site.known.digest, by="anna", now=NOW + 2)
    generation = current_generation(learned)
    assert generation is not None and generation.manifest.calibration is not None
    assert generation.manifest.calibration.after == found.after
    assert prepare(site.board, NOW + 3) == []
    reviewed = site.record("PCB", LEAST_NEW_REVIEWS, 900, label="PCB", review=SAMPLE)
    site.answer(reviewed, "PCB", at=NOW + 10)
    (again,) = prepare(site.board, NOW + 20)
    assert again.outcome is not LearnOutcome.WAITS and again.number == note.number + 1


def test_a_class_is_proposed_from_named_items_and_waits_for_more_once_rejected(site):
    site.name("Dotted toy", LEAST_CROPS - 1)
    assert prepare(site.board, NOW) == [] and site.loaded == 0
    site.name("Dotted toy", 3, first=100)
    site.answer(site.record("Keyboard", 5, label=UNKNOWN, review=UNSURE), "Keyboard")
    learned = site.board.learned
    (note,) = prepare(site.board, NOW)
    assert (note.label, note.outcome) == ("Dotted toy", LearnOutcome.PROPOSED), note.text
    found = read_proposal(learned, note.number)
    assert found.learned is not None and found.learned.labels == ("Dotted toy",)
    assert found.after["recall"] >= 0.75 and current_generation(learned) is None
    assert (
        found.before.keys()
        == {"recall Keyboard"}
        == found.after.keys()
        - {
            "recall",
            "known_taken",
        }
    )
    reject(learned, note.number, by="anna", now=NOW)
    assert prepare(site.board, NOW + 1) == []
    site.name("Dotted toy", LEAST_CROPS, first=200)
    (again,) = prepare(site.board, NOW + 2)
    assert again.number == note.number + 1
    taken = accept(
        learned, again.number, base=site.known.digest, by="anna", now=NOW, bin_name="small"
    )
    assert [each.bin for each in taken.manifest.classes] == ["small"]
    assert prepare(site.board, NOW + 3) == [], "what is taught has no new name any more"


def test_crops_of_a_known_class_are_kept_as_refused_with_the_reason(site):
    site.name("Toy", LEAST_CROPS + 5, drawn="Battery")
    site.name("Dotted toy", LEAST_CROPS + 2)
    note, other = prepare(site.board, NOW)
    assert (other.label, other.outcome) == ("Dotted toy", LearnOutcome.PROPOSED), (
        "the next is looked at"
    )
    assert note.outcome is LearnOutcome.REFUSED and note.text
    kept = proposals(site.board.learned)[1]
    assert kept.proposal is not None and kept.proposal.refused == note.text
    assert prepare(site.board, NOW + 1) == [] and site.loaded == 1


def test_what_is_named_like_a_battery_is_a_hazard(site):
    site.name("Toy with batteries", LEAST_CROPS + 2)
    (note,) = prepare(site.board, NOW)
    found = read_proposal(site.board.learned, note.number)
    assert found.learned is not None and [each.hazard for each in found.learned.classes] == [True]


def test_a_hidden_share_waits_and_an_other_without_a_name_teaches_nothing(site):
    items = site.record(RIBBON, 40, label=UNKNOWN, review=UNSURE)
    with ReviewStore(site.state / RECORDS_NAME) as reviews:
        for item in items:
            reviews.give(item, no_class=NoClass.OTHER, by="anna", at=NOW)
    assert prepare(site.board, NOW) == []
    site.review_the_draw()
    site.record("PCB", 60, 700, label="PCB", review=SAMPLE)
    (note,) = prepare(site.board, NOW)
    assert note.outcome is LearnOutcome.WAITS and "wait for review" in note.text
    assert proposals(site.board.learned) == []


def test_without_records_there_is_nothing_to_learn_from(site):
    with pytest.raises(BadInput, match="no records yet"):
        prepare(site.board, NOW)
