"""Levels are learned from sums: they come near the truth, borrow, and leave out what is wrong."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.labels import UNKNOWN
from edge.mass.calibration import Weighing, WeighingFault, calibrated
from edge.mass.estimate import MassEstimate, estimate, estimate_item
from edge.mass.items import Basis, Sizes, added, of_bin, of_label, sized, summed
from edge.mass.levels import WRONG_SPREAD, first_levels, fitted, sums_of, terms_of
from edge.mass.typical import OTHER_ITEM, SLOPE, TYPICAL_ITEMS, typical

NAN = math.nan
anything = st.floats(allow_nan=True, allow_infinity=True)
labels = st.sampled_from(["Battery", "Mouse", "Television", UNKNOWN, "a class of the site"])
sizes = st.floats(1, 1e6) | st.just(NAN)


def items(label: str, count: int, *, bin_name: str = "bin", area_mm2: float | None = None):
    """So many items of a label, with its typical area or another one."""
    areas = np.full(count, typical(label).area_mm2 if area_mm2 is None else area_mm2)
    return tuple(sized(summed(label, bin_name, areas, np.full(count, NAN))))


def true_kg(label: str, count: int, factor: float) -> float:
    return count * typical(label).grams * factor / 1000


def weighed(number: int, label: str, count: int, factor: float) -> Weighing:
    own = items(label, count)
    return Weighing(number, "bin", true_kg(label, count, factor), own)


def test_without_a_weighing_the_interval_is_that_of_the_typical_masses():
    found = calibrated([], ["Mouse"])
    mass = estimate(found.levels, items("Mouse", 1000))
    assert mass.kg == pytest.approx(true_kg("Mouse", 1000, 1))
    assert mass.low_kg < mass.kg / 2 and mass.high_kg > mass.kg * 2
    assert found.used == found.left_out == () and found.weighed == {"Mouse": 0}


def test_weighings_bring_a_level_to_the_truth_and_its_interval_with_it():
    found = calibrated([weighed(n, "Mouse", 300, 1.6) for n in range(1, 9)], [])
    mass = estimate(found.levels, items("Mouse", 1000), found.dispersions)
    assert mass.low_kg < true_kg("Mouse", 1000, 1.6) < mass.high_kg < 1.1 * mass.low_kg
    assert found.used == tuple(range(1, 9)) and found.weighed["Mouse"] == 8


def test_a_class_that_was_never_weighed_borrows_from_the_others():
    heavy = [weighed(n, label, 300, 1.6) for n, label in enumerate(TYPICAL_ITEMS) if n < 6]
    before, after = calibrated([], ["Printer"]), calibrated(heavy, ["Printer"])
    assert after.weighed["Printer"] == 0
    one = [estimate(each.levels, items("Printer", 100)) for each in (before, after)]
    assert one[1].kg > 1.1 * one[0].kg, "what the classes have in common"
    assert after.levels.error("Printer") < before.levels.error("Printer")


def test_the_classes_of_one_bin_are_separated_by_days_of_other_mixes():
    days = [(400, 20), (30, 300), (200, 200), (350, 90)]
    found = calibrated(
        [
            Weighing(
                number,
                "small",
                true_kg("Mouse", mice, 1.5) + true_kg("Keyboard", boards, 0.8),
                (*items("Mouse", mice), *items("Keyboard", boards)),
            )
            for number, (mice, boards) in enumerate(days)
        ],
        [],
    )
    for label, factor in (("Mouse", 1.5), ("Keyboard", 0.8)):
        mass = estimate(found.levels, items(label, 500), found.dispersions)
        assert mass.low_kg < true_kg(label, 500, factor) < mass.high_kg
    both = (*items("Mouse", 200), *items("Keyboard", 200))
    whole = estimate(found.levels, both, found.dispersions)
    assert math.log(whole.high_kg / whole.low_kg) < 0.3, "their sum was weighed"


def test_errors_that_all_items_share_do_not_shrink_with_their_number():
    levels = first_levels(["Mouse"])
    few, many = (estimate(levels, items("Mouse", count)) for count in (4, 4_000_000))
    assert math.log(many.high_kg / many.low_kg) > 0.7 * math.log(few.high_kg / few.low_kg)
    calibration = calibrated([weighed(n, "Mouse", 100_000, 1.0) for n in range(9)], [])
    few, many = (estimate(calibration.levels, items("Mouse", count)) for count in (4, 40_000))
    assert math.log(many.high_kg / many.low_kg) < 0.1 * math.log(few.high_kg / few.low_kg)


def test_the_masses_of_bins_and_classes_add_up():
    sums = [
        part
        for label, bin_name in (("Mouse", "a"), ("Mouse", "b"), ("PCB", "b"), (UNKNOWN, "c"))
        for part in summed(label, bin_name, np.array([5e3, NAN, 2e4]), np.array([NAN, 90.0, NAN]))
    ]
    everything = sized(sums)
    found = calibrated([Weighing(1, "b", 2.0, tuple(of_bin(everything, "b")))], [UNKNOWN])
    total = estimate(found.levels, everything, found.dispersions)
    for parts in (
        [of_bin(everything, name) for name in "abc"],
        [of_label(everything, label) for label in ("Mouse", "PCB", UNKNOWN)],
    ):
        masses = [estimate(found.levels, part, found.dispersions) for part in parts]
        assert sum(each.kg for each in masses) == pytest.approx(total.kg)
        assert total.high_kg < sum(each.high_kg for each in masses), "errors partly cancel"


def test_weighings_that_cannot_be_true_are_named_and_left_out():
    good = [weighed(n, "Mouse", 300, 1.2) for n in range(1, 10)]
    in_grams = Weighing(10, "bin", true_kg("Mouse", 300, 1.2) * 1000, items("Mouse", 300))
    forgotten = Weighing(11, "bin", true_kg("Mouse", 300, 1.2) / 2, items("Mouse", 300))
    nothing = Weighing(12, "bin", 4.0, ())
    found = calibrated([*good, in_grams, forgotten, nothing], [])
    faults = {each.number: each.fault for each in found.left_out}
    assert faults == {
        10: WeighingFault.IMPOSSIBLE,
        11: WeighingFault.UNLIKE_OTHERS,
        12: WeighingFault.NO_ITEMS,
    }
    assert found.left_out[1].expected_kg == pytest.approx(true_kg("Mouse", 300, 1.2), rel=0.1)
    assert found.used == tuple(range(1, 10))


def test_weighings_that_scatter_widen_the_interval():
    calm = calibrated([weighed(n, "Mouse", 3000, 1.0) for n in range(20)], [])
    draw = np.random.default_rng(1)
    wild = calibrated(
        [weighed(n, "Mouse", 3000, float(np.exp(0.1 * draw.normal()))) for n in range(20)], []
    )
    assert wild.dispersions["bin"] > 4 > 1 > calm.dispersions["bin"]
    assert wild.levels.error("Mouse") > 2 * calm.levels.error("Mouse")


def test_an_item_without_a_size_weighs_what_the_others_of_its_label_do():
    areas, sides = np.array([9e3, 9e3, NAN]), np.full(3, NAN)
    measured, lacking = sized(summed("Mouse", "bin", areas, sides))
    assert lacking.sizes == measured.sizes and not lacking.measured and not lacking.guessed
    (alone,) = sized(summed("Mouse", "bin", areas[2:], sides[2:]))
    assert alone.guessed and alone.level != lacking.level


def test_a_class_that_is_never_measured_is_calibrated_all_the_same():
    def none_measured(count: int):
        return tuple(sized(summed("PCB", "bin", np.full(count, NAN), np.full(count, NAN))))

    before = calibrated([], ["PCB"])
    after = calibrated([Weighing(n, "bin", 60.0, none_measured(300)) for n in range(9)], [])
    wide, narrow = (estimate(each.levels, none_measured(300)) for each in (before, after))
    assert wide.high_kg / wide.low_kg > 50 and narrow.high_kg / narrow.low_kg < 1.6
    assert narrow.low_kg < 60 < narrow.high_kg


def test_the_longer_side_stands_in_for_the_area():
    known = TYPICAL_ITEMS["Mouse"]
    side = math.sqrt(known.area_mm2 / known.fill)
    levels = first_levels(["Mouse"])
    by_side = estimate_item(levels, "Mouse", area_mm2=NAN, longer_mm=side)
    by_area = estimate_item(levels, "Mouse", area_mm2=known.area_mm2, longer_mm=side)
    assert by_side.kg == pytest.approx(by_area.kg) and by_side.high_kg > by_area.high_kg


def test_what_is_rare_is_more_often_wrong():
    sums = [*summed("PCB", "a", np.full(20, 9e3), np.full(20, NAN))]
    sums += summed("Mouse", "b", np.full(980, 7e3), np.full(980, NAN))
    shares = {each.label: each.wrong for each in sized(sums)}
    assert shares == {"PCB": 0.5, "Mouse": 0.05}


def test_the_spread_between_classes_is_that_of_the_typical_masses():
    known = list(TYPICAL_ITEMS.values())
    densities = [math.log(each.grams) - SLOPE * math.log(each.area_mm2) for each in known]
    own = np.mean([each.error**2 for each in known])
    assert math.sqrt(2 * (np.var(densities) + own)) == pytest.approx(WRONG_SPREAD, abs=0.15)


@given(st.floats(0.9, 1.6), st.lists(st.floats(1, 1e7), min_size=1, max_size=30))
@settings(deadline=None)
def test_powers_of_areas_are_interpolated_well(slope, areas):
    measured = np.array(areas)
    (only,) = sized(summed("Mouse", "bin", measured, np.full(len(measured), NAN)))
    levels = first_levels(["Mouse"])
    mean = np.array([0.0, slope])
    log_grams = sums_of(mean, terms_of(levels.names, [[only]])).log_grams[0]
    true = ((measured / TYPICAL_ITEMS["Mouse"].area_mm2) ** slope).sum()
    assert log_grams == pytest.approx(math.log(true), abs=0.1)


def is_sound(mass: MassEstimate) -> bool:
    values = (mass.low_kg, mass.kg, mass.high_kg)
    return (
        all(math.isfinite(each) for each in values) and 0 < mass.low_kg <= mass.kg <= mass.high_kg
    )


@given(labels, anything, anything)
@settings(deadline=None)
def test_the_mass_of_any_item_is_a_finite_interval_that_holds_the_estimate(label, area, side):
    levels = first_levels([label])
    assert is_sound(estimate_item(levels, label, area_mm2=area, longer_mm=side))


@given(
    st.lists(
        st.tuples(
            st.floats(1e-3, 1e6),
            st.lists(st.tuples(labels, st.lists(sizes, min_size=1, max_size=4)), max_size=4),
        ),
        max_size=8,
    )
)
@settings(deadline=None, max_examples=60)
def test_whatever_is_weighed_the_intervals_are_finite_and_hold_the_estimate(drawn):
    weighings = [
        Weighing(
            number,
            "bin",
            kg,
            tuple(
                sized(
                    part
                    for label, areas in groups
                    for part in summed(label, "bin", np.array(areas), np.full(len(areas), NAN))
                )
            ),
        )
        for number, (kg, groups) in enumerate(drawn)
    ]
    found = calibrated(weighings, ["Mouse"])
    assert len(found.used) + len(found.left_out) == len(weighings)
    for label in found.weighed:
        assert 0 < found.levels.error(label) <= first_levels([label]).error(label) + 1e-9
        own = items(label, 7)
        assert is_sound(estimate(found.levels, own, found.dispersions))


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.5, 2)), min_size=1, max_size=8))
@settings(deadline=None, max_examples=60)
def test_another_weighing_of_a_class_never_widens_the_error_of_its_level(drawn):
    prior = first_levels(["Mouse", "PCB"])
    own = [items("Mouse", count) for count, _ in drawn]
    logs = np.log([true_kg("Mouse", *each) * 1000 for each in drawn])
    errors = [prior.error("Mouse")]
    for number in range(1, len(drawn) + 1):
        terms = terms_of(prior.names, own[:number])
        errors.append(fitted(prior, terms, logs[:number]).error("Mouse"))
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(errors))


def test_sums_of_several_times_add_up():
    half = summed("Mouse", "bin", np.array([5e3, NAN]), np.array([NAN, NAN]))
    whole = added([*half, *half])
    assert [each.items for each in whole] == [2, 2]
    assert whole[0] == replace(half[0], items=2, powers=tuple(2 * e for e in half[0].powers))
    assert whole[1].basis is Basis.NONE and isinstance(sized(half)[0].sizes, Sizes)
    assert typical("a class of the site") is OTHER_ITEM
