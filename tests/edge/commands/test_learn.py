"""`ewaste-edge learn` as the timer starts it: what it prints, killed, and a second time."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.learned.due import LEAST_CROPS
from edge.learned.proposals import proposals
from edge.learned.store import current_generation
from tests.support.reviewed_site import Site

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path, tiny_bundle) -> Site:
    made = Site(tmp_path, tiny_bundle)
    (tmp_path / "line.toml").write_text(
        f'state = "{made.state}"\nclassifier.bundle = "{made.bundle}"\n'
    )
    return made


def start(site: Site, *more: str) -> subprocess.Popen:
    options = ["learn", "--config", str(site.state.parent / "line.toml"), *more]
    command = [sys.executable, "-m", "edge.cli", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def learn(site: Site, *more: str) -> tuple[int, str, str]:
    process = start(site, *more)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_a_night_prepares_and_puts_nothing_into_use(site):
    code, out, err = learn(site)
    assert code == 2 and "no records yet" in err and err.count("\n") == 1
    site.name("Dotted toy", LEAST_CROPS + 2)
    for seconds in (1.0, 4.0, 8.0):
        process = start(site)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        assert [each.problem for each in proposals(site.board.learned) if each.problem] == []
    code, out, err = learn(site, "--json")
    assert code == 0, err
    (found,) = proposals(site.board.learned)
    for row in json.loads(out):
        assert (row["kind"], row["label"], row["outcome"]) == (
            "new_class",
            "Dotted toy",
            "proposed",
        )
        assert row["number"] == found.number
    assert found.proposal is not None and found.proposal.is_open
    assert current_generation(site.board.learned) is None
    code, out, err = learn(site)
    assert (code, out.count("\n")) == (0, 1) and out.startswith("nothing new to propose")
