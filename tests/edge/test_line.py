from dataclasses import replace

from edge.line import without_gates
from edge.verdict import Reason
from tests.support.records import RECORD


def test_a_record_on_a_line_without_gates_claims_no_sorting():
    record = without_gates(replace(RECORD, bin="boards", reason=Reason.SORTED, detail="sure"))
    assert (record.bin, record.reason) == ("boards", Reason.NO_GATE)
    assert record.detail == "sure; no gate is wired"
    unsure = replace(RECORD, bin="manual", reason=Reason.UNSURE)
    assert without_gates(unsure) == unsure
