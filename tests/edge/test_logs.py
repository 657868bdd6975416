import logging
import os
import subprocess
import sys

import pytest

from edge.logs import LineHandler, in_journal, install_handler, priority


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
