import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BadInput
from edge.records.review import SAMPLE
from edge.records.store import RECORDS_NAME, Store
from edge.sensors.rates import CountedRate, counted_pieces, measured_rates
from tests.support.records import RECORD

CONFIG = """
[mqtt]
host = "127.0.0.1"
[[sensors]]
name = "xray"
topic = "plant/xray"
distance_mm = 200
finds = "Battery"
[[sensors]]
name = "inside"
topic = "plant/inside"
distance_mm = 200
finds = "battery inside"
inside = ["Mobile", "Player"]
"""


def reviewed() -> list:
    """91 of 100 batteries found, 6 alarms at 100 other items; then what counts for nothing."""
    rows = [("Battery", "found")] * 91 + [("Battery", "clear")] * 9
    rows += [("Mouse", "found")] * 6 + [("Mouse", "clear")] * 94
    rows += [("Battery", "none"), ("Battery", "silent"), ("Battery", "suspect"), ("", "found")]
    return [
        replace(
            RECORD,
            item_id=f"run-{number}",
            reviewed=label,
            sensors=f"metal=found; xray={word}:0.5@0.9",
            review=SAMPLE if number % 2 else "unsure",
        )
        for number, (label, word) in enumerate(rows)
    ]


def test_rates_are_counted_over_clean_answers_that_a_person_has_checked():
    found = measured_rates(reviewed(), "xray", "Battery")
    assert (found.with_it, found.without_it) == (CountedRate(91, 100), CountedRate(6, 100))
    assert found.with_it.rate == pytest.approx(92 / 102)
    assert found.with_it.interval == pytest.approx((0.838, 0.952), abs=0.001)
    assert found.says_something
    drawn = measured_rates(reviewed(), "xray", "Battery", only_sample=True)
    assert drawn.with_it.items + drawn.without_it.items == 100
    nothing = measured_rates([], "xray", "Battery")
    assert nothing.with_it == CountedRate(0, 0) and not nothing.says_something


@given(st.integers(0, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rate_is_never_certain_and_the_configuration_takes_it(counts):
    rate = CountedRate(*counts)
    low, high = rate.interval
    assert 0 < rate.rate < 1 and 0.001 <= rate.configured <= 0.999
    assert 0 <= low <= high <= 1


@pytest.mark.parametrize("text", ["", "91", "91/", "/3", "-1/3", "4/3", "0/0", "1e3/2e3", "٣/٤"])
def test_what_is_no_count_of_test_pieces_is_refused(text):
    with pytest.raises(BadInput, match="--with"):
        counted_pieces(text, "--with")


@pytest.fixture
def command(tmp_path):
    (tmp_path / "line.toml").write_text(CONFIG)
    with Store(tmp_path / RECORDS_NAME) as store:
        store.append(reviewed())

    def run(*given):
        line = [sys.executable, "-m", "edge.cli", "sensor-rates", *given]
        line += ["--config", str(tmp_path / "line.toml"), "--state", str(tmp_path)]
        done = subprocess.run(line, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_command_prints_rates_and_what_goes_into_the_configuration(command):
    code, printed = command("xray")
    assert code == 0
    assert "with Battery: found in 91 of 100, rate 90.2% (83.8% to 95.2%)" in printed
    assert printed.endswith("found = 0.902\nfalse_alarms = 0.069\n")
    code, printed = command("inside", "--with", "91/100", "--without", "6/100", "--json")
    assert code == 0 and json.loads(printed)["found"]["items"] == 100


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["nothing"], 2, "it has: xray, inside"),
        (["inside"], 2, "no review shows battery inside; send test pieces"),
        (["xray", "--with", "3/4"], 2, "need each other"),
        (["xray", "--with", "5/10", "--without", "5/10"], 3, "its answer says nothing"),
    ],
)
def test_the_command_refuses_in_one_line(command, given, code, words):
    returned, printed = command(*given)
    assert returned == code and words in printed and "Traceback" not in printed
