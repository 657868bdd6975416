from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.bundle import Bundle, load_bundle
from edge.bundle.sizes import TYPICAL_SIZES, SizeDistribution
from edge.config import (
    BeltConfig,
    Config,
    DecisionConfig,
    bin_of,
    decision_rules,
    longest_item_mm,
    read_config,
    sizes_of,
)
from edge.errors import BadInput
from edge.inference.ood import OodDetector, OodRule, pack_detector
from tests.support.bundles import plain_manifest

OFF = DecisionConfig(sizes="off")


def test_the_defaults_send_every_drawn_class_to_a_gated_bin():
    from edge.synthetic.items import CLASSES

    config = read_config(None)
    assert set(config.bin_of) == set(CLASSES)
    assert config.bin_of["Battery"] == "hazardous"
    assert config.bins["hazardous"] == ("Battery",)
    view_end_mm = config.geometry.width_mm / 2
    assert all(gate.distance_mm > view_end_mm for gate in config.gates)


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text('[belt]\nspeed_mm_s = 400\n[camera]\nsource = "0"\n')
    config = read_config(path)
    assert config.belt.speed_mm_s == 400 and config.camera.source == "0"
    assert config.bins == Config().bins and config.camera.fps == 30


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[belt]\nspeed = 3", "belt.speed"),
        ("[belt]\nspeed_mm_s = -3", "belt.speed_mm_s"),
        ("[belt", "not valid TOML"),
        ('[camera]\n"rtsp://u:s3cret@h" = 1', "camera.(not shown): "),
        ("bins = {manual = ['PCB']}\ngates = [{bin = 'manual', distance_mm = 700}]", "manual"),
        ("bins = {a = ['PCB'], b = ['PCB']}", "two bins"),
        ("bins = {a = ['PCB']}\ngates = []", "exactly one gate"),
        ("[decision]\nthreshold = 1.5", "decision.threshold"),
        ("[decision]\nsizes = 'no'", "decision.sizes"),
        ("[sizes]\nTelevision = 640", "sizes.Television"),
        ("[sizes.Television]\nmedian_mm = 640", "sizes.Television.spread"),
        ("[sizes.Television]\nmedian_mm = 0\nspread = 0.1", "sizes.Television.median_mm"),
        ("[sizes.Television]\nmedian_mm = -5\nspread = 0.1", "sizes.Television.median_mm"),
        ("[sizes.Television]\nmedian_mm = inf\nspread = 0.1", "sizes.Television.median_mm"),
        ("[sizes.Television]\nmedian_mm = nan\nspread = 0.1", "sizes.Television.median_mm"),
        ("[sizes.Television]\nmedian_mm = true\nspread = 0.1", "sizes.Television.median_mm"),
        ("[sizes.Television]\nmedian_mm = 9\nspread = 0", "sizes.Television.spread"),
        ("[sizes.Television]\nmedian_mm = 9\nspread = 1\nlow = 2", "sizes.Television.low"),
        ("[belt]\nlongest_item_mm = inf", "belt.longest_item_mm"),
        ("[belt]\nencoder = 'wheel'", "belt.encoder"),
        ("[belt]\nencoder = 'pulses'\npulse_pin = 5", "mm_per_pulse"),
        ("[belt]\npulse_pin_b = 5", "needs pulse_pin"),
        ("[belt]\npulse_pin = 5\npulse_pin_b = 5", "same pin"),
        ("[belt]\nfastest_mm_s = 100", "less than speed_mm_s"),
        (
            "bins = {a = ['PCB']}\ngates = [{bin = 'a', distance_mm = 700, pin = 5}]\n"
            "[belt]\npulse_pin = 5",
            "same pin",
        ),
    ],
)
def test_a_wrong_file_is_named_in_one_line(tmp_path, content, named):
    path = tmp_path / "line.toml"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        read_config(path)
    assert named in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def calibrated(tmp_path) -> Bundle:
    """A bundle with thresholds of its own, as far as rules need one."""
    rule = OodRule(score="neighbors", threshold=0.8)
    detector = OodDetector(rule, {"projection": np.eye(4), "references": np.eye(1, 4)})
    contents = {"unknown.npz": pack_detector(detector)}
    manifest = plain_manifest(
        thresholds={"Mouse": 0.7}, hazard_thresholds={"Battery": 0.02}, unknown=rule
    )
    return Bundle(tmp_path, manifest, manifest.labels, "", contents)


def test_the_levels_are_the_bundles_unless_the_configuration_says_others(calibrated):
    rules = decision_rules(Config(), calibrated)
    assert rules.thresholds == {"Battery": 0.5, "Mouse": 0.7}
    assert rules.hazard_thresholds == {"Battery": 0.02} and rules.ood_detector.rule.threshold == 0.8
    configured = DecisionConfig(
        threshold=0.4, thresholds={"Battery": 0.3}, hazard_threshold=0.2, unknown_threshold=0.1
    )
    rules = decision_rules(Config(decision=configured), calibrated)
    assert rules.thresholds == {"Battery": 0.3, "Mouse": 0.4}
    assert rules.hazard_thresholds == {"Battery": 0.2} and rules.ood_detector.rule.threshold == 0.1


def test_a_threshold_for_a_label_that_the_model_lacks_is_named(calibrated):
    config = Config(decision=DecisionConfig(thresholds={"Phone": 0.3}))
    with pytest.raises(BadInput, match=r"knows no Phone.*\[decision\.thresholds\]"):
        decision_rules(config, calibrated)


@pytest.mark.parametrize(
    ("written", "hint"),
    [("battery", "did you mean Battery?"), ("Caf\u00e9", "letters are composed otherwise")],
)
@pytest.mark.parametrize("key", ["bins", "thresholds"])
def test_a_label_that_differs_only_in_how_it_is_written_is_hinted_at(
    calibrated, written, hint, key
):
    bundle = replace(calibrated, labels=("Battery", "Cafe\u0301"))
    if key == "bins":
        content = {"bins": {"a": [written]}, "gates": [{"bin": "a", "distance_mm": 700}]}
    else:
        content = {"decision": {"thresholds": {written: 0.3}}}
    with pytest.raises(BadInput, match=rf"knows no {written}; .*{hint}".replace("?", r"\?")):
        decision_rules(Config.model_validate(content), bundle)


def test_sizes_are_configured_or_the_bundles_or_typical_where_the_camera_was_measured(calibrated):
    mouse = SizeDistribution(median_mm=100, spread=0.1)
    sized = replace(calibrated, manifest=calibrated.manifest.model_copy(update={"sizes": {}}))
    measured = BeltConfig(mm_per_px=0.5)
    typical = {label: TYPICAL_SIZES[label] for label in ("Battery", "Mouse")}
    assert sizes_of(Config(), sized) == {}
    assert sizes_of(Config(belt=measured), sized) == typical
    of_bundle = sized.manifest.model_copy(update={"sizes": {"Mouse": mouse}})
    sized = replace(sized, manifest=of_bundle)
    assert sizes_of(Config(), sized) == {"Mouse": mouse}
    assert sizes_of(Config(belt=measured), sized) == {**typical, "Mouse": mouse}
    own = SizeDistribution(median_mm=300, spread=0.2)
    config = Config(sizes={"Mouse": own})
    assert decision_rules(config, sized).sizes == {"Mouse": own}
    assert decision_rules(config.model_copy(update={"decision": OFF}), sized).sizes == {}


def test_a_size_for_a_label_that_the_model_lacks_is_named(calibrated):
    config = Config(sizes={"Phone": SizeDistribution(median_mm=140, spread=0.1)})
    with pytest.raises(BadInput, match=r"knows no Phone.*\[sizes\]"):
        decision_rules(config, calibrated)


def test_what_is_longer_than_the_largest_class_cannot_be_one_item(calibrated):
    def longest(**given):
        config = Config.model_validate(given)
        return longest_item_mm(config, decision_rules(config, calibrated))

    large = {"sizes": {"Mouse": {"median_mm": 600.0, "spread": 0.1}}}
    assert longest() == 260
    assert longest(**large) == pytest.approx(600 * np.exp(0.2))
    assert longest(**large, belt={"longest_item_mm": 500.0}) == 500


def test_the_unknown_detector_can_be_turned_off(calibrated):
    for off in ("off", float("-inf")):  # -inf was the documented word before
        configured = DecisionConfig(unknown_threshold=off)
        assert decision_rules(Config(decision=configured), calibrated).ood_detector is None


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="nowhere.toml"):
        read_config(tmp_path / "nowhere.toml")


@given(st.binary(max_size=200))
def test_garbage_is_either_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("config") / "line.toml"
    path.write_bytes(content)
    try:
        assert isinstance(read_config(path), Config)
    except BadInput as error:
        assert str(path) in str(error)


WIRED = """
bins = {{a = ['PCB'], b = ['Mobile']}}
[[gates]]
bin = 'a'
distance_mm = 700
{a}
[[gates]]
bin = 'b'
distance_mm = 900
{b}
"""


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[mqtt]\nhost = 'h'\npasword_file = 'p'", "mqtt.pasword_file"),
        ("[mqtt]\nport = 1883", "mqtt.host"),
        ("[mqtt]\nhost = 'h'\npassword_file = 'p'", "needs a user"),
        ("[mqtt]\nhost = 'h'\nca_file = 'p'", "needs tls"),
        ("[mqtt]\nhost = 'h'\ntopic = 'a/#'", "mqtt.topic"),
        ("[modbus]\nhost = 'h'\nport = 0", "modbus.port"),
        (("pin = 3", "pin = 3"), "the same pin"),
        (("pin = 3", ""), "some have none"),
        (("coil = 3", "coil = 4"), "[modbus]"),
        (("coil = 3\npin = 3", "coil = 4\npin = 4"), "[modbus]"),
    ],
)
def test_outputs_that_cannot_work_are_named(tmp_path, content, named):
    path = tmp_path / "line.toml"
    if isinstance(content, tuple):
        content = WIRED.format(a=content[0], b=content[1])
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        read_config(path)
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_outputs_have_defaults_that_work(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text("[mqtt]\nhost = 'h'\ntls = true\n[modbus]\nhost = 'plc'\n")
    config = read_config(path)
    assert config.mqtt.tcp_port == 8883 and config.modbus.port == 502
    assert Config().mqtt is None and Config().modbus is None


def test_a_bundles_bins_hold_unless_the_line_has_its_own(tiny_bundle) -> None:
    bundle = load_bundle(tiny_bundle)
    manifest = bundle.manifest
    assert manifest.bins["hazardous"] == ("Battery",) and manifest.bins["small"] == ("Keyboard",)
    assert "screens" not in manifest.bins  # it knows no television

    swapped = manifest.model_copy(update={"bins": {"hazardous": ("PCB",), "boards": ("Battery",)}})
    other = replace(bundle, manifest=swapped)
    assert bin_of(Config(), other) == {"PCB": "hazardous", "Battery": "boards"}
    own = Config.model_validate({"bins": {"a": ["PCB"]}, "gates": [{"bin": "a", "distance_mm": 9}]})
    assert bin_of(own, other) == {"PCB": "a"}

    gateless = replace(bundle, manifest=manifest.model_copy(update={"bins": {"b": ("PCB",)}}))
    with pytest.raises(BadInput, match=r"sorts into b, which have no gate"):
        decision_rules(Config(), gateless)


def test_home_assistant_can_be_left_out(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text('[panel]\nhost = "127.0.0.5"\n[mqtt]\nhost = "h"\ndiscovery = "off"\n')
    assert read_config(path).mqtt.discovery is None
