import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.labels import (
    default_hazards,
    find_label,
    hazard_notes,
    label_problem,
    labels_problem,
    near_labels,
)


@pytest.mark.parametrize(
    "label", ["PCB", "CD/DVD", "Mouse [/usb]", "Téléphone", "手机", "a $^$", "5"]
)
def test_names_of_things_are_labels(label):
    assert label_problem(label) is None


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("Battery ", "no space around"),
        ("\N{NO-BREAK SPACE}Battery", "no space around"),
        ("Washing\N{NO-BREAK SPACE}Machine", "NO-BREAK SPACE"),
        ("Mo\N{ZERO WIDTH JOINER}use", "ZERO WIDTH JOINER"),
        ("\x1b[31mred", "printable"),
        ("two\nlines", "U+000A"),
        ("gr\udcfcn", "UTF-8"),
        ("x" * 201, "longer than 200 bytes"),
        ("é" * 101, "longer than 200 bytes"),
        ("Unknown", "unknown is what"),
        ("manual", "manual is what"),
    ],
)
def test_what_is_no_label_is_reported_with_the_reason(label, problem):
    found = labels_problem(("PCB", label))
    assert found and found.isprintable() and problem in found


def test_labels_that_differ_only_in_case_or_accents_are_no_two_labels():
    assert "differ only in case" in labels_problem(("Battery", "battery"))
    decomposed = unicodedata.normalize("NFD", "Téléphone")
    assert "differ only in case" in labels_problem(("Téléphone", decomposed))
    assert labels_problem(("Battery", "Battery pack")) is None


@pytest.mark.parametrize("label", ["Battery", "battery", "BATTERIES", "batteries", " Battery_"])
def test_a_battery_is_a_hazard_however_it_is_written(label):
    assert default_hazards(("mouse", label)) == (label,)
    found = hazard_notes(("mouse", label), (label,))
    assert bool(found) == (label != "Battery") and not any("warning" in line for line in found)


def test_a_model_without_a_hazard_is_warned_of_loudly():
    assert default_hazards(("mouse", "pcb")) == ()
    (line,) = hazard_notes(("mouse", "pcb"), ())
    assert line.startswith("warning: none of the classes (mouse, pcb) is a hazard")
    by_name = hazard_notes(("Li-ion batteries", "Mouse"), ())
    assert "Li-ion batteries: by the name a hazard" in by_name[0]


def test_a_label_is_found_however_its_accents_are_typed_and_nothing_else_is():
    decomposed = unicodedata.normalize("NFD", "Téléphone")
    assert find_label(decomposed, ("PCB", "Téléphone")) == "Téléphone"
    assert find_label("Téléphone", ("PCB", decomposed)) == decomposed
    assert find_label("pcb", ("PCB",)) is None and near_labels("pcbs", ("PCB",)) == ["PCB"]


@given(st.text(max_size=20))
def test_any_text_is_a_label_or_a_reason(name):
    found = labels_problem((name,))
    assert found is None or found.isprintable()
    if found is None:
        assert name.encode() and name == name.strip()
