"""The wheel in an empty venv: a working device from the core requirements alone, without a page."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import edge

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["HOME"] = str(cwd)
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    source = target / "source"
    run("git", "clone", "--quiet", ROOT, source, cwd=target)
    # With setuptools at hand nothing is fetched.
    here = ["--no-build-isolation"] if find_spec("setuptools") and find_spec("wheel") else []
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *here]
    run(*command, "--wheel-dir", target, source, cwd=target)
    return next(target.glob("*.whl"))


def link(source: str | Path, target: str | Path) -> None:
    """A hard link, or a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def link_requirements(names: list[str], target: Path) -> None:
    """Link the installed distributions that are required, and those that they require."""
    waiting, done = [Requirement(name) for name in names], set()
    while waiting:
        requirement = waiting.pop()
        if requirement.name in done or (
            requirement.marker and not requirement.marker.evaluate({"extra": ""})
        ):
            continue
        done.add(requirement.name)
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            pytest.fail(f"{requirement.name} is not installed")
        assert requirement.specifier.contains(found.version, prereleases=True), requirement
        for top in {file.parts[0] for file in found.files or () if ".." not in file.parts}:
            source, copy = Path(found.locate_file(top)), target / top
            if source.is_dir() and not copy.exists() and top != "__pycache__":
                shutil.copytree(source, copy, copy_function=link)  # OpenCV refuses symbolic links
            elif source.is_file() and not copy.exists():
                link(source, copy)
        waiting += [Requirement(line) for line in found.requires or ()]


@pytest.fixture(scope="module")
def device(wheel, tmp_path_factory) -> Path:
    """The programs of a venv with the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("device")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", program, cwd=folder).stdout.strip())
    program = "import importlib.metadata as m; print('\\n'.join(m.requires('ewaste-edge')))"
    link_requirements(run(python, "-c", program, cwd=folder).stdout.splitlines(), packages)
    return folder / "venv/bin"


def test_it_ships_the_device_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "edge",
        f"ewaste_edge-{edge.__version__}.dist-info",
    }
    for name in (
        "py.typed",
        "deploy/ewaste-line.service",
        "deploy/ewaste-panel.service",
        "deploy/ewaste-program.service",
        "deploy/ewaste-program.timer",
        "deploy/ewaste-update.service",
        "deploy/ewaste-update.timer",
        "deploy/ewaste-learn.service",
        "deploy/ewaste-learn.timer",
        "deploy/journald.conf",
        "deploy/grafana-dashboard.json",
        "deploy/prometheus-rules.yml",
        "panel/style.css",
        "panel/panel.js",
        "panel/locales/hi/LC_MESSAGES/panel.po",
        "bundle/manifest.schema.json",
        "simulator/scenarios/even.toml",
        "models/ewaste-resnet50-int8/model.tflite",
    ):
        assert f"edge/{name}" in names


def test_it_runs_the_shipped_bundle_without_an_extra(device, tmp_path):
    program = "import edge, importlib.util as u; print(edge.__file__, u.find_spec('gradio'))"
    where = run(device / "python", "-c", program, cwd=tmp_path).stdout
    assert str(device.parent) in where and where.endswith(" None\n")
    proved = json.loads(run(device / "ewaste-edge", "verify", "--json", cwd=tmp_path).stdout)
    assert proved["ok"] is True
    command = (device / "ewaste-edge", "simulate", "--items", 3, "--json")
    done = run(*command, cwd=tmp_path)
    assert json.loads(done.stdout)["items"] == 3 and done.stderr == ""


def test_the_line_runs_without_the_page_and_says_how_to_get_it(device, tmp_path):
    from PIL import Image

    (tmp_path / "belt").mkdir()
    Image.new("RGB", (1280, 720), "gray").save(tmp_path / "belt/1.jpg")
    command = (device / "ewaste-edge", "run", "--camera", "belt", "--state", "state", "--json")
    done = run(*command, cwd=tmp_path)
    assert json.loads(done.stdout)["frames"] == 1
    assert "pip install 'gradio" in done.stderr and "Traceback" not in done.stderr
