from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.bundle import Bundle, load_bundle
from edge.config import Config, DecisionConfig, bin_of, decision_rules, read_config
from edge.errors import BadInput
from edge.inference.ood import OodDetector, OodRule, pack_detector
from tests.support.bundles import plain_manifest


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


def test_a_page_for_the_network_needs_a_user_and_home_assistant_can_be_left_out(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text('[panel]\nhost = "0.0.0.0"\n')
    with pytest.raises(BadInput, match=r"line\.toml: panel: .*set user and password_file") as error:
        read_config(path)
    assert "\n" not in str(error.value)
    path.write_text('[panel]\nhost = "127.0.0.5"\n[mqtt]\nhost = "h"\ndiscovery = "off"\n')
    assert read_config(path).mqtt.discovery is None
