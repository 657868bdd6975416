"""The playbooks of a fleet: what ansible-lint finds, and the files that they write."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import read_config

PLAYS = Path(__file__).parents[2] / "fleet/ansible"
TEMPLATE = PLAYS / "roles/ewaste_edge/templates/line.toml.j2"
needs_ansible = pytest.mark.skipif(
    shutil.which("ansible-playbook") is None,
    reason="no ansible-playbook (pip install ansible-core)",
)
LINE = {
    "simulated": True,
    "gate_open_s": 2.5,
    "camera": {"source": 'http://camera/"]\n[trust]\n#\U0001f600'},
    "sizes": {"Washing Machine": {"median_mm": 500, "spread": 0.2}},
    "bins": {"hazardous": ["Battery"]},
    "gates": [{"bin": "hazardous", "distance_mm": 700, "pin": 17}],
}


def play(book: Path, folder: Path, *more: str) -> None:
    command = ["ansible-playbook", "-i", str(PLAYS / "inventory.example.yml"), str(book), *more]
    environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ansible-lint") is None, reason="no ansible-lint (pip install it)")
def test_ansible_lint_finds_nothing():
    command = ["ansible-lint", "--offline", "--nocolor", "."]
    done = subprocess.run(command, cwd=PLAYS, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@needs_ansible
def test_the_template_writes_what_the_program_reads_whatever_the_values(tmp_path):
    target = tmp_path / "line.toml"
    values = {
        "ewaste_edge_line": LINE,
        "ewaste_edge_trust_keys": [],
        "ewaste_edge_repository": "https://server.example/fleet",
        "ewaste_edge_ring": "canary",
        "ansible_python_interpreter": sys.executable,
    }
    task = {"ansible.builtin.template": {"src": str(TEMPLATE), "dest": str(target)}, "vars": values}
    book = [{"hosts": "line-1", "connection": "local", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "book.yml").write_text(json.dumps(book))
    play(tmp_path / "book.yml", tmp_path)
    config = read_config(target)
    assert config.camera.source == LINE["camera"]["source"] and config.update.ring == "canary"
    assert config.sizes["Washing Machine"].median_mm == 500 and config.gates[0].pin == 17


@pytest.mark.slow
@needs_ansible
def test_prometheus_gets_each_board_with_its_ring(tmp_path):
    target = tmp_path / "boards.json"
    interpreter = f"ansible_python_interpreter={sys.executable}"
    play(PLAYS / "discovery.yml", tmp_path, "-e", f"discovery_file={target}", "-e", interpreter)
    rings = {
        each["labels"]["board"]: each["labels"]["ring"] for each in json.loads(target.read_text())
    }
    assert rings == {"line-1": "canary", "line-2": "all", "line-3": "all"}
