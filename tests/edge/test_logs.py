import logging
import os
import subprocess
import sys

import pytest

from edge.logs import LineHandler, RateLimit, in_journal, install_handler, priority


@pytest.fixture
def installed():
    install_handler()
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, LineHandler)]:
        root.removeHandler(handler)


def test_a_record_is_one_safe_line_whatever_its_arguments(installed, capsys):
    install_handler()
    log = logging.getLogger("edge.somewhere")
    log.info("bin %s", "a\n\x1b[31m")
    wrong = logging.LogRecord("edge", logging.WARNING, "file", 1, "%d %d", (1,), None)
    LineHandler(with_priority=False).emit(wrong)
    logging.getLogger("edge.somewhere").debug("not shown")
    logging.getLogger("library").info("not shown")
    assert capsys.readouterr().err == "bin a\\n\\x1b[31m\n%d %d\n"


@pytest.mark.parametrize(
    ("level", "number"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (35, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_levels_are_priorities_of_syslog(level, number):
    assert priority(level) == number


def test_the_journal_gets_priorities_and_a_terminal_none():
    program = (
        "import logging, os; found = os.fstat(2); "
        "os.environ['JOURNAL_STREAM'] = f'{found.st_dev}:{found.st_ino + OFF}'; "
        "from edge.logs import install_handler; install_handler(); "
        "logging.getLogger('edge').warning('the gate fails')"
    )
    for off, line in ((0, "<4>the gate fails\n"), (1, "the gate fails\n")):
        command = [sys.executable, "-c", program.replace("OFF", str(off))]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stderr == line
    assert in_journal() is False or os.environ.get("JOURNAL_STREAM")


@pytest.fixture
def limited(caplog):
    """A logger that may write ten lines a minute, and its clock."""
    clock = [0.0]
    logger = logging.getLogger("limited")
    limit = RateLimit(10, now=lambda: clock[0])
    logger.addFilter(limit)
    yield logger, clock, caplog
    logger.removeFilter(limit)


def test_a_flood_of_messages_is_cut_off_until_the_next_minute_and_counted(limited):
    logger, clock, written = limited
    for number in range(25):
        clock[0] += 1.0
        logger.error("request %d failed", number)
    assert [record.getMessage() for record in written.records] == [
        f"request {number} failed" for number in range(10)
    ]
    clock[0] = 60.0
    logger.error("request %s failed", "of another minute")
    logger.error("again")
    assert [record.getMessage() for record in written.records[10:]] == [
        "request of another minute failed (15 earlier messages dropped)",
        "again",
    ]


def test_tracebacks_count_line_by_line_and_none_is_longer_than_a_minute_may_take(limited):
    logger, _, written = limited

    def fail(depth: int) -> None:
        try:
            if depth == 0:
                raise ValueError("a\nb")
            fail(depth - 1)
        except ValueError:
            if depth == 0:
                logger.exception("failed")
            raise

    for depth in (0, 0, 0):
        with pytest.raises(ValueError, match="a"):
            fail(depth)
    text = "".join(logging.Formatter().format(record) + "\n" for record in written.records)
    assert 2 <= text.count("\n") <= 10 and "Traceback" in text
    written.clear()
    logger.error("%s", "x\n" * 20)
    assert not written.records


def test_what_the_server_of_the_page_logs_is_bounded():
    program = (
        "import logging; from edge.logs import LINES_A_MINUTE, limit_lines; "
        "limit_lines('uvicorn.error'); log = logging.getLogger('uvicorn.error'); "
        "[log.error('%d', number) for number in range(2 * LINES_A_MINUTE)]; "
        "[logging.getLogger('asyncio').error('never retrieved') for _ in range(50)]"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and 0 < done.stderr.count("\n") <= 300
