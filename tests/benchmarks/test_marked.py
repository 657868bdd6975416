"""Samples that other programs disturbed are left out, and ways take turns."""

import time

import numpy as np

from benchmarks.machine import board_facts
from benchmarks.marked import BURST, Samples, run_delay_ns, take_marked_turns, way_of


def samples(times_ms: list[float], delays_ms: list[float]) -> Samples:
    times = np.array(times_ms, float).reshape(-1, 2)
    return Samples(times, np.array(delays_ms, float).reshape(-1, 2), times)


def test_a_sample_that_waited_is_left_out():
    found = samples([1, 1, 1, 9, 1, 1, 1, 1], [0, 0, 0.04, 8, 0, 0, 0, 0])
    assert found.disturbed == 1 and found.kept.sum() == 7
    assert [each.value for each in found.shares()] == [1, 1, 1]


def test_where_all_waited_the_least_disturbed_quarter_stays():
    found = samples([2, 2, 4, 4, 6, 6, 8, 8], [1, 1, 3, 3, 5, 5, 7, 7])
    assert found.disturbed == 8 and found.kept.sum() == 2
    assert found.shares()[0].value == 2


def test_a_ratio_is_that_of_the_same_rounds():
    one = samples([1, 1, 10, 10, 1, 1, 1, 1], [0] * 8)
    other = samples([2, 2, 20, 20, 2, 2, 2, 2], [0] * 8)
    ratio = other.ratio_to(one)
    assert (ratio.low, ratio.value, ratio.high) == (2, 2, 2)
    never = samples([2, 2, 2, 2, 2, 2, 2, 2], [0, 0] + [2] * 6)
    late = samples([4, 4, 4, 4, 4, 4, 4, 4], [4] * 6 + [0, 0])
    assert late.ratio_to(never).value == 2 and late.ratio_to(never).high == np.inf


def test_every_way_works_as_often_in_turns():
    calls: list[str] = []
    ways = {name: way_of(lambda name=name: calls.append(name)) for name in "ab"}
    found = take_marked_turns(ways, 3, warm_up=1)
    assert calls.count("a") == calls.count("b") == 4 * (BURST + 1)
    assert calls[:: BURST + 1] == list("baabbaab")
    assert found["a"].times_ms.shape == (3, BURST)


def test_the_kernel_tells_how_long_threads_waited(tmp_path):
    for thread, text in (("1", "5 70 1"), ("2", "9 30 2"), ("3", "")):
        (tmp_path / thread).mkdir()
        (tmp_path / thread / "schedstat").write_text(text)
    assert run_delay_ns(tmp_path) == 100
    assert run_delay_ns(tmp_path / "none") == 0


def test_processor_time_of_a_sleep_is_less_than_its_time():
    (asleep,) = way_of(lambda: time.sleep(0.02))(1)
    assert asleep[0] >= 20 > asleep[2]


def test_a_board_tells_its_temperature_and_clock(tmp_path):
    assert board_facts(tmp_path) == {}
    zone = tmp_path / "class/thermal/thermal_zone0"
    clock = tmp_path / "devices/system/cpu/cpu0/cpufreq"
    firmware = tmp_path / "devices/platform/soc/soc:firmware"
    for folder in (zone, clock, firmware):
        folder.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal")
    (zone / "temp").write_text("61234")
    (clock / "scaling_cur_freq").write_text("2400000\n")
    (firmware / "get_throttled").write_text("50005")
    found = board_facts(tmp_path)
    assert found["temperature"] == "61.2 C" and found["clock"] == "2.40 GHz"
    assert found["slowed down"] == "yes, the supply is too weak, and was before"
