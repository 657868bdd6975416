"""The unit files, judged by systemd's own tool."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import edge
from edge.doctor.service import LINE, PAGE

DEPLOY = Path(edge.__file__).parent / "deploy"
UPDATE, TIMER = "ewaste-update.service", "ewaste-update.timer"
LEARN, NIGHTLY = "ewaste-learn.service", "ewaste-learn.timer"
INSTALLS, ITS_TIMER = "ewaste-program.service", "ewaste-program.timer"
PROGRAM, MOST = "/opt/ewaste-edge/bin/ewaste-edge", 2.5
PROVEN, MOST_OF_ROOT = "/opt/ewaste-edge.proven/bin/ewaste-edge", 5.0
"""Root installs: it must write, give files to others, and become others."""
UNKNOWN_BEFORE_254 = {"RestartSteps", "RestartMaxDelaySec"}

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing"
)


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = ["systemd-analyze", "--no-pager", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@analyze
@pytest.mark.parametrize("unit", [LINE, PAGE, UPDATE, LEARN, INSTALLS])
def test_little_is_exposed(unit):
    most = MOST_OF_ROOT if unit == INSTALLS else MOST
    threshold = round(10 * most)
    done = run("security", "--offline=true", f"--threshold={threshold}", DEPLOY / unit)
    score = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert done.returncode == 0 and score and float(score[1]) <= most, done.stdout
    print(f"{unit}: {score[1]}")


@analyze
def test_systemd_understands_every_line(tmp_path):
    """But for the back-off, which it knows from version 254 on."""
    services = {LINE: PROGRAM, PAGE: PROGRAM, UPDATE: PROGRAM, LEARN: PROGRAM, INSTALLS: PROVEN}
    for unit, program in services.items():
        text = (DEPLOY / unit).read_text()
        assert f"ExecStart={program} " in text
        (tmp_path / unit).write_text(text.replace(program, "/bin/true"))
    timers = (TIMER, NIGHTLY, ITS_TIMER)
    for timer in timers:
        (tmp_path / timer).write_text((DEPLOY / timer).read_text())
    done = run("verify", *(tmp_path / unit for unit in (*services, *timers)))
    unknown = set(re.findall(r"Unknown key(?: name)? '(\w+)'", done.stderr))
    assert unknown <= UNKNOWN_BEFORE_254, done.stderr
    about_ours = [line for line in done.stderr.splitlines() if "ewaste-" in line]
    assert all("Unknown key" in line for line in about_ours), done.stderr


def test_the_line_needs_nothing_of_the_page_and_comes_first():
    line, page = ((DEPLOY / unit).read_text() for unit in (LINE, PAGE))
    assert PAGE not in line and not re.search(r"^(Requires|BindsTo|PartOf)=", page, re.MULTILINE)
    assert re.search(rf"^After=.*{LINE}", page, re.MULTILINE)
    nice, weight, adjusted = (
        [int(re.search(rf"^{key}=(-?\d+)$", text, re.MULTILINE)[1]) for text in (line, page)]
        for key in ("Nice", "CPUWeight", "OOMScoreAdjust")
    )
    assert nice[0] < 0 < nice[1] and weight[0] > 100 > weight[1] and adjusted[0] < 0 < adjusted[1]
    for text in (line, page):
        assert "\nType=notify\n" in text and "\nRestart=always\n" in text
        assert "\nUser=ewaste\n" in text and "\nWatchdogSec=" in text


def test_an_update_stands_back_and_is_as_confined_as_the_page():
    page, update = ((DEPLOY / unit).read_text() for unit in (PAGE, UPDATE))
    confined = page[page.index("User=ewaste") : page.index("[Install]")].strip()
    assert confined in update and "\nType=oneshot\n" in update
    assert "[Install]" not in update and "=timers.target\n" in (DEPLOY / TIMER).read_text()


def test_what_learns_stands_back_furthest_and_has_no_network():
    update, learn = (DEPLOY / UPDATE).read_text(), (DEPLOY / LEARN).read_text()
    hardened = update[update.index("User=ewaste") :].splitlines()
    missing = set(hardened) - set(learn.splitlines())
    assert missing == {"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"}
    for line in (
        "RestrictAddressFamilies=AF_UNIX",
        "PrivateNetwork=yes",
        "Nice=19",
        "MemoryMax=1G",
    ):
        assert f"\n{line}\n" in learn
    assert "[Install]" not in learn and "=timers.target\n" in (DEPLOY / NIGHTLY).read_text()


def test_a_trial_that_a_power_cut_interrupted_goes_on_soon():
    """From the environment before: what is on trial may not even start."""
    service, timer = ((DEPLOY / unit).read_text() for unit in (INSTALLS, ITS_TIMER))
    assert "\nUser=" not in service, "systemd 257 then takes the right to become another user"
    assert PROGRAM not in service and "\nRestart=on-abnormal\n" in service
    assert "\nOnBootSec=2min\n" in timer and "[Install]" not in service
