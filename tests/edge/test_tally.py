from edge.inference.dispatcher import ModelAnswer
from edge.tally import Tally


def test_frames_that_never_came_are_counted_once():
    tally = Tally()
    tally.count_frame(2)
    assert (tally.frames, tally.frames_dropped) == (1, 2)
    tally.count_passed(5)
    tally.count_passed(5)
    tally.count_frame(6)
    tally.count_frame(7)
    assert (tally.frames, tally.frames_dropped) == (3, 5)


def test_the_time_of_a_failed_prediction_is_not_counted():
    tally = Tally()
    tally.count_answers([ModelAnswer(1, None, 5.0)])
    assert not tally.latencies["classify"]


def test_a_rerouted_item_changes_its_bin_and_no_other_count():
    tally = Tally()
    tally.per_bin["small"] = 2
    tally.reroute("small", "manual")
    assert tally.per_bin == {"small": 1, "manual": 1} and tally.items == 0
