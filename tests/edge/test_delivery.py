from dataclasses import replace

from edge.delivery import Delivery
from edge.tally import Tally
from tests.support.records import RECORD


def test_records_are_handed_over_one_by_one_as_they_are_made():
    handed, tally = [], Tally()
    delivery = Delivery(handed.append, lambda record: None, tally)

    def made():
        for name in ("a", "b"):
            assert len(handed) == tally.items
            yield replace(RECORD, item_id=name)

    assert delivery.new(made()) == tuple(handed)
    assert [record.item_id for record in handed] == ["a", "b"] and tally.items == 2


def test_a_rerouted_item_is_counted_for_its_new_bin():
    moved, tally = [], Tally()
    delivery = Delivery(lambda record: None, moved.append, tally)
    (record,) = delivery.new([replace(RECORD, bin="small")])
    manual = replace(record, bin="manual")
    delivery.rerouted([("small", manual)])
    assert moved == [manual]
    assert tally.items == 1 and +tally.per_bin == {"manual": 1}
