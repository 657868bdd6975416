"""The installer on a scratch device: twice, killed anywhere, and taken off again."""

import os
from pathlib import Path

import pytest

from edge.bundle.install import CURRENT
from edge.config import read_config
from edge.errors import BadInput, EwasteError
from edge.setup import content, services
from edge.setup.environment import is_whole, made, others
from edge.setup.options import Options
from edge.setup.packages import ON_A_PI
from edge.setup.procedure import install, one_at_a_time, take_on_trial, uninstall
from edge.setup.report import Outcome, Step
from edge.setup.source import ProgramSource
from tests.support.device import PI, Device, PowerCut

TIMERS = {"ewaste-update.timer", "ewaste-learn.timer"}
UNITS = {"ewaste-line.service", "ewaste-panel.service", *TIMERS}
"""What is enabled; these start the others."""
OTHERS = {
    "ewaste-update.service",
    "ewaste-learn.service",
    "ewaste-program.service",
    "ewaste-program.timer",
}


@pytest.fixture(autouse=True)
def _systemd(monkeypatch):
    monkeypatch.setattr(services.shutil, "which", lambda name: name)
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def source(tmp_path) -> ProgramSource:
    wheel = tmp_path / "ewaste_edge-1-py3-none-any.whl"
    wheel.write_bytes(b"the program")
    return ProgramSource(wheel)


@pytest.fixture
def device(tmp_path) -> Device:
    return Device(tmp_path / "root")


def installed(device: Device, source: ProgramSource) -> list[Step]:
    return list(install(device.places, PI, source, None, device.run))


def require_installed(device: Device) -> None:
    places = device.places
    assert is_whole(places.program) and not others(places)
    assert places.proven.resolve() == places.program.resolve()
    assert places.command.readlink() == places.program / "bin/ewaste-edge"
    assert read_config(places.settings).camera.source == "picamera2"
    assert (places.state / "bundles" / CURRENT).is_symlink() and device.owner == "ewaste"
    there = {path.name for path in places.units.iterdir()}
    assert there == {*UNITS, *OTHERS} and device.enabled == UNITS
    assert device.active >= UNITS and device.joined == {"video"}


def test_it_installs_all_and_a_second_time_nothing(device, source):
    first = installed(device, source)
    require_installed(device)
    notes = [step.detail for step in first if step.outcome is Outcome.NOTE]
    assert len(notes) == 1 and "python3-picamera2: apt does not have it" in notes[0]
    device.installed.add("python3-picamera2")
    places = device.places
    places.settings.write_text("# mine\n")
    inodes = {path: path.lstat().st_ino for path in places.root.rglob("*")}
    second = installed(device, source)
    assert {step.outcome for step in second} == {Outcome.ALREADY}
    assert len(second) >= 10 and places.settings.read_text() == "# mine\n"
    assert inodes == {path: path.lstat().st_ino for path in places.root.rglob("*")}


def test_killed_at_any_command_it_finishes_when_it_is_run_again(tmp_path, source):
    whole = Device(tmp_path / "whole")
    installed(whole, source)
    for cut_at in range(len(whole.commands)):
        device = Device(tmp_path / f"cut{cut_at}")
        device.cut_at = cut_at
        with pytest.raises(PowerCut):
            installed(device, source)
        program = device.places.program
        assert not program.is_symlink() or is_whole(program), "a half-made environment is in use"
        device.cut_at = None
        installed(device, source)
        require_installed(device)


def test_another_program_takes_the_place_of_the_one_before_and_restarts_the_services(
    device, source, tmp_path
):
    installed(device, source)
    before = device.places.program.resolve()
    source.path.write_bytes(b"another program")
    device.commands.clear()
    installed(device, source)
    require_installed(device)
    assert device.places.program.resolve() != before and not before.exists()
    restarted = [each for each in device.commands if each.startswith("systemctl restart ewaste")]
    assert len(restarted) == len(UNITS)


def test_a_folder_made_by_hand_is_moved_away(device, source):
    program = device.places.program
    (program / "bin").mkdir(parents=True)
    steps = installed(device, source)
    require_installed(device)
    assert program.with_name("ewaste-edge.before").is_dir()
    assert any("made by hand" in step.detail for step in steps)


def test_uninstall_leaves_records_and_configuration_and_says_where(device, source):
    installed(device, source)
    places = device.places
    records = places.state / "records.db"
    records.write_bytes(b"records")
    kept = places.settings.read_bytes()
    steps = list(uninstall(places, device.run))
    assert records.read_bytes() == b"records" and places.settings.read_bytes() == kept
    assert not os.path.lexists(places.program) and not os.path.lexists(places.command)
    assert not list(places.programs.iterdir()) and not list(places.units.iterdir())
    assert not device.enabled and not device.active & UNITS
    named = " ".join(step.detail for step in steps)
    assert str(places.state) in named and str(places.settings.parent) in named
    again = list(uninstall(places, device.run))
    assert Outcome.DONE not in {step.outcome for step in again}
    installed(device, source)
    require_installed(device)
    assert records.read_bytes() == b"records"


def test_what_is_installed_is_put_right_without_a_network(device, source):
    installed(device, source)
    unit = device.places.units / "ewaste-panel.service"
    unit.unlink()
    device.installed.clear()
    device.is_offline = True
    with pytest.raises(EwasteError, match="install from a stick: --offline"):
        installed(device, source)
    wheel = device.places.program.resolve() / source.path.name
    steps = installed(device, ProgramSource(wheel, is_installed=True))
    require_installed(device)
    notes = {step.detail.partition(";")[0] for step in steps if step.outcome is Outcome.NOTE}
    assert notes == {f"{name}: apt cannot be asked" for name in ON_A_PI} and unit.exists()


def test_a_new_device_gets_the_given_configuration_and_bundle(device, source, tmp_path):
    config, bundle = tmp_path / "my.toml", tmp_path / "mine"
    config.write_text('[camera]\nsource = "1"\n')
    options = Options(config=config, bundle=bundle)
    steps = list(install(device.places, PI, source, None, device.run, options=options))
    places = device.places
    assert read_config(places.settings).camera.source == "1"
    command = places.program / "bin/ewaste-edge"
    checked = device.commands.index(f"{command} check {config}")
    proved = f"{command} install {bundle} --state {places.state} --config {places.settings}"
    assert checked < device.commands.index(proved)
    assert any(step.detail == f"{places.settings}: as in {config}" for step in steps)
    config.write_text("other = 1\n")
    again = list(install(places, PI, source, None, device.run, options=options))
    assert read_config(places.settings).camera.source == "1"
    assert Outcome.DONE not in {step.outcome for step in again}


def test_two_installers_do_not_work_at_once(device):
    second = pytest.raises(EwasteError, match="another installer")
    with one_at_a_time(device.places), second, one_at_a_time(device.places):
        pass
    with one_at_a_time(device.places):
        pass


def test_the_configuration_is_valid_with_any_of_its_examples(tmp_path):
    text = (Path(content.__file__).parents[1] / "deploy/line.toml").read_text()
    path = tmp_path / "line.toml"
    path.write_text(content.configured(text, is_pi=False))
    assert read_config(path).camera.source == "0"
    lines = text.splitlines()
    examples = [line[1:] if line[:1] == "#" and line[:2] != "# " else line for line in lines]
    assert examples != lines
    path.write_text("\n".join(examples))
    assert [gate.pin for gate in read_config(path).gates] == [17, 27, 22, 23, 24]


def test_the_program_is_pulled_only_where_it_is_asked_for_and_can_be_trusted(device, source):
    installed(device, source)
    timer, settings = services.PROGRAM_TIMER, device.places.settings
    asking = '[update]\nrepository = "https://x/y"\nroot = "/x"\nprogram = true\n'
    for written, root, on in [
        (asking, False, False),
        ("[update]\n", True, False),
        (asking.replace("true", "1"), True, False),
        ("[update", True, False),
        (asking, True, True),
        (asking.replace("true", "false"), True, False),
    ]:
        settings.write_text(written)
        path = settings.with_name("root.json")
        path.write_text("{}") if root else path.unlink(missing_ok=True)
        installed(device, source)
        assert (timer in device.enabled) is on and (timer in device.active) is on, written


def test_an_environment_beside_the_one_in_use_is_taken_on_trial(device, source, tmp_path):
    installed(device, source)
    before = device.places.program.resolve()
    other = ProgramSource(tmp_path / "ewaste_edge-2-py3-none-any.whl")
    other.path.write_bytes(b"another program")
    with pytest.raises(BadInput, match="made ready with --beside"):
        list(take_on_trial(device.places, PI, other, device.run))
    made(device.places, python="3.11", source=other, kit=None, run=device.run)
    assert device.places.program.resolve() == before
    (beside,) = others(device.places)
    inside = ProgramSource(beside / other.path.name, is_installed=True)
    list(take_on_trial(device.places, PI, inside, device.run))
    assert device.places.program.resolve() == beside and device.places.proven.resolve() == before
    assert not others(device.places), "the one before would be removed"
