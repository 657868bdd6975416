"""What a service tells its manager: real datagrams on a real socket."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.service_notify import ServiceNotifier
from tests.support.manager import Manager


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@ewaste-{os.getpid()}"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    listening = Manager(address)
    yield listening
    listening.close()


def test_it_is_ready_with_the_first_beat_then_feeds_the_watchdog_then_stops(address, manager):
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10000000", "HOME": "/"}
    environment["WATCHDOG_PID"] = str(os.getpid())
    service = ServiceNotifier.from_environment(environment)
    assert environment == {"HOME": "/"}, "no child speaks for this process"
    assert service.has_manager and service.watchdog_s == 10
    service.status("opens\nthe camera")
    assert manager.heard() == ["STATUS=opens the camera"]
    for now in (100.0, 100.3, 100.9, 101.1, 101.2):
        service.beat(now, lambda: "running, 3 items")
    assert manager.heard() == [
        "READY=1\nWATCHDOG=1\nSTATUS=running, 3 items",
        "WATCHDOG=1\nSTATUS=running, 3 items",
    ]
    service.stopping()
    service.stopping()
    service.beat(200.0, lambda: "running")
    assert manager.heard() == ["STOPPING=1"]


def test_a_short_watchdog_is_fed_in_time(address, manager):
    service = ServiceNotifier(address, watchdog_s=1.0)
    for tenth in range(10):
        service.beat(tenth / 10, lambda: "")
    assert len(manager.heard()) >= 4


def test_a_manager_that_does_not_take_it_costs_nothing(address, manager):
    service = ServiceNotifier(address, watchdog_s=10.0)
    for now in range(2000):  # far more than its socket holds
        service.beat(float(now), lambda: "x" * 1000)
    heard = manager.heard()
    assert 0 < len(heard) < 2000 and all(len(each) < 300 for each in heard)
    manager.close()
    service.beat(5000.0, lambda: "nobody listens")
    service.stopping()


def test_ready_is_repeated_until_it_is_heard(address):
    service = ServiceNotifier(address, watchdog_s=10.0)
    service.beat(0.0, lambda: "")
    manager = Manager(address)
    service.beat(2.0, lambda: "")
    assert manager.heard()[0].startswith("READY=1\n")
    manager.close()


def test_without_a_manager_nothing_is_sent_and_nothing_is_asked():
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
        service = ServiceNotifier.from_environment(environment)
        assert not service.has_manager
        service.beat(0.0, lambda: pytest.fail("nobody wants to know"))
        service.stopping()


def test_the_watchdog_of_another_process_is_not_ours(address):
    given_to = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
    assert ServiceNotifier.from_environment(given_to).watchdog_s == 0


@given(st.text(), st.text(), st.text())
def test_no_environment_raises(address: str, within: str, meant: str):
    environment = {"NOTIFY_SOCKET": f"/{address}", "WATCHDOG_USEC": within, "WATCHDOG_PID": meant}
    service = ServiceNotifier.from_environment(environment)
    assert 0 <= service.watchdog_s < 1e10
    service.beat(0.0, lambda: address)
