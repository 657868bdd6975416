"""The page beside a line: lost, hung or not to be started, it is replaced; the line hears of it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.config import Config
from edge.errors import BadInput
from edge.panel.beside import Care, PageBeside, answers, await_port, page_address
from tests.support.page import free_port
from tests.support.waiting import wait_until

CARE = Care(every_s=0.2, start_s=20, hung_s=1.0, first_pause_s=0.2, longest_pause_s=1.0)
ROOT = Path(__file__).parents[3]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(folder: Path) -> list[tuple[int, ...]]:
    """Of each page that was started: its own and its child's."""
    try:
        lines = (folder / "pids").read_text().splitlines()
    except OSError:
        return []
    return [tuple(map(int, line.split())) for line in lines]


def test_a_page_that_dies_or_hangs_is_replaced_with_all_its_children(fake_page, injected, logged):
    port = free_port()
    config = Config.model_validate({"panel": {"port": port}})
    page = PageBeside(config, fake_page, CARE)
    try:
        wait_until(lambda: answers("127.0.0.1", port, 1))
        os.kill(pids(fake_page)[0][0], signal.SIGKILL)
        noticed = wait_until(lambda: page.error)
        back = wait_until(lambda: len(pids(fake_page)) == 2 and not page.error)
        injected("page killed", "a new page; the line goes on", noticed, back)
        assert "the page has ended (exit code -9)" in logged[1]
        os.kill(pids(fake_page)[1][0], signal.SIGSTOP)
        noticed = wait_until(lambda: page.error)
        back = wait_until(lambda: len(pids(fake_page)) == 3 and not page.error)
        injected("page hangs", "a new page; the line goes on", noticed, back)
        assert "the page does not answer" in logged[3]
    finally:
        page.close()
        page.close()
    wait_until(lambda: not any(lives(pid) for pair in pids(fake_page) for pid in pair), 3)
    assert not answers("127.0.0.1", port, 1)
    assert [line for line in logged if line.startswith("page: ")] == [
        f"page: http://127.0.0.1:{port}",
        *[f"page: http://127.0.0.1:{port}, again"] * 2,
    ]


def test_a_page_that_cannot_be_started_is_reported_once_and_tried_again(fake_page, logged):
    port = free_port()
    config = Config.model_validate({"panel": {"port": port}})
    state = fake_page / "state"
    with socket.create_server(("127.0.0.1", port)):
        page = PageBeside(config, state, CARE)
        wait_until(lambda: page.error)
        time.sleep(1.0)
        assert len(logged) == 1 and "there is no page" in logged[0] and str(port) in logged[0]
    wait_until(lambda: "cannot be written" in page.error)  # then its folder is missing
    state.mkdir()
    wait_until(lambda: page.error is None)
    page.close()
    assert logged[-1] == f"page: http://127.0.0.1:{port}, again"


def test_the_page_ends_with_a_line_that_was_killed(fake_page):
    port = free_port()
    code = (
        f"import sys, time, pathlib; sys.path.insert(0, {str(ROOT)!r}); import edge; "
        "from edge.config import Config; from edge.panel.beside import PageBeside; "
        f"PageBeside(Config.model_validate({{'panel': {{'port': {port}}}}}), "
        "pathlib.Path('.')); time.sleep(60)"
    )
    line = subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.DEVNULL)
    wait_until(lambda: answers("127.0.0.1", port, 1))
    line.kill()
    line.wait()
    wait_until(lambda: not answers("127.0.0.1", port, 1), 6)
    os.kill(pids(fake_page)[0][1], signal.SIGKILL)  # the page's child is its own to mind


def test_a_port_that_another_program_keeps_is_reported_and_one_that_gets_free_is_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=str(port)):
            await_port("127.0.0.1", port, 0.3)
    await_port("127.0.0.1", port, 0.3)
    await_port("no.such.host.invalid", port, 0.3)  # the network may not be up yet


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80"), ("belt", "http://belt:80")],
)
def test_the_address_that_is_reported_is_one(host, shown):
    assert page_address(host, 80) == shown
