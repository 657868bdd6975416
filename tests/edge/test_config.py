import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import Config, read_config
from edge.errors import BadInput


def test_the_defaults_send_every_drawn_class_to_a_gated_bin():
    from edge.simulator.items import CLASSES

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
        ("bins = {manual = ['PCB']}\ngates = [{bin = 'manual', distance_mm = 700}]", "manual"),
        ("bins = {a = ['PCB'], b = ['PCB']}", "two bins"),
        ("bins = {a = ['PCB']}\ngates = []", "exactly one gate"),
        ("[decision]\nthreshold = 1.5", "decision.threshold"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(tmp_path, content, named):
    path = tmp_path / "line.toml"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        read_config(path)
    assert named in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


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
