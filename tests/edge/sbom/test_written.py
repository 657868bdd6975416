"""The command that writes an SBOM: over another one, and over nothing else."""

import json
import sys

import pytest

from edge import cli


@pytest.fixture
def write(monkeypatch, tmp_path):
    def run(name: str) -> int:
        line = ["ewaste-edge", "sbom", "--state", str(tmp_path / "state"), "--out", name]
        monkeypatch.setattr(sys, "argv", line)
        return cli._run_command()

    return run


def test_an_sbom_replaces_an_earlier_one_and_no_other_file(write, tmp_path):
    made, other = tmp_path / "board.cdx.json", tmp_path / "line.toml"
    for _ in range(2):
        assert write(str(made)) == 0
        assert json.loads(made.read_text())["bomFormat"] == "CycloneDX"
    other.write_text("[panel]\n")
    assert write(str(other)) == 2
    assert other.read_text() == "[panel]\n"
