"""The file of a ring's program, and the history of programs, as hostile ones may be."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import BadInput, Refused
from edge.update.offer import Ring
from edge.update.program_history import (
    HISTORY_NAME,
    ProgramHistory,
    ProgramTrial,
    read_program_history,
    write_program_history,
)
from edge.update.program_offer import (
    ProgramOffer,
    machine_name,
    parse_program_offer,
    program_target,
    version_key,
)

WHEEL = {"path": "ewaste_edge-0.2.0-py3-none-any.whl", "digest": "c" * 64}
OWN = {"path": "wheels/b-2-cp311-cp311-manylinux2014_aarch64.whl", "digest": "d" * 64}
GOOD = {
    "version": "0.2.0",
    "digest": "c" * 64,
    "machines": ["aarch64-3.11", "aarch64-3.13"],
    "files": [WHEEL, {**OWN, "machines": ["aarch64-3.11"]}],
}


def test_a_machine_gets_the_files_that_it_needs() -> None:
    offer = parse_program_offer(json.dumps({**GOOD, "later": 1}).encode(), "x")
    assert parse_program_offer(offer.model_dump_json().encode(), "x") == offer
    assert [each.path for each in offer.files_for(machine_name("aarch64", "3.13"))] == [
        WHEEL["path"]
    ]
    assert len(offer.files_for("aarch64-3.11")) == 2 and offer.name == "program 0.2.0"
    assert program_target(Ring.ALL) == "program-all.json"
    assert offer.files[1].target == f"file-{'d' * 32}.whl"


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0.2.0.dev1"},
        {"version": "2"},
        {"version": "0.2.0\n"},
        {"digest": "e" * 64},
        {"machines": []},
        {"machines": ["../x-3.11"]},
        {"files": []},
        {"files": [WHEEL, WHEEL]},
        *(
            {"files": [WHEEL, {**OWN, "path": path}]}
            for path in (
                "../x.whl",
                "/etc/x.sh",
                "wheels/../x.whl",
                "wheels//x.whl",
                "other/x.whl",
                ".hidden.whl",
                "kit.json",
                "x.py",
                "wheels/x.whl\n",
                "wheels/" + "x" * 300 + ".whl",
            )
        ),
    ],
)
def test_a_malformed_one_is_refused_in_one_line(change: dict) -> None:
    with pytest.raises(Refused, match=r"^program-all.json: [^\n]+; publish again$"):
        parse_program_offer(json.dumps({**GOOD, **change}).encode(), "program-all.json")


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from([*GOOD]), st.text() | st.lists(st.text())).map(json.dumps)
)
def test_any_other_content_is_refused_or_read(content: bytes | str) -> None:
    given = content if isinstance(content, bytes) else content.encode()
    try:
        assert isinstance(parse_program_offer(given, "x"), ProgramOffer)
    except Refused as error:
        assert "\n" not in str(error)


def test_versions_are_compared_by_number() -> None:
    assert version_key("0.10.0") > version_key("0.9.12") > version_key("0.9")
    assert version_key("1.0") == version_key("1.0.0") > version_key("0.99.99")
    for text in ("", "1", "1.02.0", "v1.0", "1.0rc1", "1.0+x", "1." + "9" * 7, "1.0\n"):
        with pytest.raises(ValueError, match="no version of a release"):
            version_key(text)


def test_a_history_is_kept_and_a_hostile_one_refused(tmp_path: Path) -> None:
    assert read_program_history(tmp_path) == ProgramHistory()
    trial = ProgramTrial(
        version="0.2.0",
        digest="c" * 64,
        before="ewaste-edge-0123456789ab",
        after="ewaste-edge-ba9876543210",
        began_at=1.0,
    )
    history = ProgramHistory(trial=trial, refused=("d" * 64,))
    write_program_history(tmp_path, history)
    assert read_program_history(tmp_path) == history
    text = (tmp_path / HISTORY_NAME).read_text()
    for change in (
        text.replace("ewaste-edge-ba9876543210", "../../tmp/evil"),
        text.replace("1.0", "NaN"),
        text + "x" * 2**18,
        "[",
    ):
        (tmp_path / HISTORY_NAME).write_text(change)
        with pytest.raises(BadInput):
            read_program_history(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_any_json_is_a_history_or_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / HISTORY_NAME).write_text(json.dumps(content))
    try:
        assert isinstance(read_program_history(tmp_path), ProgramHistory)
    except BadInput as error:
        assert "\n" not in str(error)
