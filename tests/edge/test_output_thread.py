"""An output's thread, when its driver does what no driver should."""

import sys

from edge.output_thread import OutputThread
from tests.support.waiting import wait_until


class Ending:
    """A link whose library ends the program at first."""

    sent = dropped = 0

    def __init__(self) -> None:
        self.tries = 0

    def connect(self) -> None:
        self.tries += 1
        if self.tries < 3:
            sys.exit("as a library may")

    def work(self) -> float:
        return 0.01

    def disconnect(self) -> None:
        if self.tries < 3:
            raise OSError("there is nothing to let go of")


def test_a_driver_that_ends_its_thread_is_a_failure_like_any_other(logged):
    link = Ending()
    thread = OutputThread("PLC", link, 0.2)
    wait_until(lambda: thread.status.connected)
    assert (link.tries, thread.status.outages) == (3, 1)
    assert logged[0] == "PLC: as a library may; trying again, the line goes on"
    assert logged[1].startswith("PLC: back after ")
    assert thread.close()


def test_an_output_whose_thread_is_gone_is_not_connected():
    thread = OutputThread("PLC", Ending(), 0.2)
    wait_until(lambda: thread.status.connected)
    thread._given_up.set()  # stands in for whatever may end a thread
    thread.wake()
    wait_until(lambda: not thread._thread.is_alive())
    status = thread.status
    assert not status.connected and "its thread has ended" in status.error
