"""How often passwords may be tried, and sessions, by a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from edge.panel.sessions import (
    IDLE_SECONDS,
    LONGEST_SECONDS,
    MOST_OF_A_USER,
    MOST_SESSIONS,
    Sessions,
)
from edge.panel.throttle import MOST_KEYS, Throttle, network_of
from edge.panel.users import Role, User

ATTEMPTS = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        st.sampled_from(["anna", "bert"]),
    ),
    max_size=300,
)


@given(ATTEMPTS)
def test_what_is_admitted_is_bounded_in_any_order(attempts):
    throttle, now, admitted = Throttle(), 0.0, []
    for pause, address, account in attempts:
        now += pause
        admission = throttle.admit(address, account, now)
        assert 0 <= admission.refused_s <= 20 and 0 <= admission.delay_s <= 2
        if not admission.refused_s:
            admitted.append((address, account))
    for address in ("10.0.0.1", "10.0.0.2"):
        assert sum(each[0] == address for each in admitted) <= 10 + now / 10 + 1
        assert admitted.count((address, "anna")) <= 5 + now / 20 + 1


def test_an_attacker_locks_nobody_else_out():
    throttle = Throttle()
    refused = [throttle.admit("10.0.0.1", "anna", 0.001 * each).refused_s for each in range(1000)]
    assert sum(each == 0 for each in refused) == 5
    honest = throttle.admit("10.0.0.2", "anna", 1.0)
    assert honest.refused_s == 0 and honest.delay_s == 0
    # From many addresses: logins become slow, but are not refused.
    for each in range(500):
        throttle.admit(f"10.1.{each // 250}.{each % 250}", "anna", 1.0)
    honest = throttle.admit("10.0.0.3", "anna", 1.0)
    assert honest.refused_s == 0 and 0 < honest.delay_s <= 2
    assert throttle.admit("10.0.0.1", "anna", 25.0).refused_s == 0, "it ends by itself"


def test_who_logs_in_uses_nothing_up():
    throttle = Throttle()
    for each in range(100):
        assert throttle.admit("10.0.0.1", "anna", 0.1 * each).refused_s == 0
        throttle.succeed("10.0.0.1", "anna", 0.1 * each)


def test_the_tables_are_bounded():
    throttle = Throttle()
    for each in range(3 * MOST_KEYS):
        throttle.admit(f"10.{each >> 16}.{each >> 8 & 255}.{each & 255}", f"user {each}", 0.0)
    assert len(throttle._addresses) == len(throttle._pairs) == len(throttle._accounts) == MOST_KEYS


def test_addresses_of_one_customer_count_as_one():
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9")
    assert network_of("2001:db8:1:2::") != network_of("2001:db8:1:3::")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::1")
    assert len(network_of("x" * 1000)) == 64


def user(name: str) -> User:
    return User(name=name, role=Role.VIEWER, salt="00" * 16, password="00" * 32)


def test_sessions_end_after_hours_idle_and_a_day_in_all():
    sessions = Sessions()
    idle, used = sessions.begin(user("anna"), 0.0), sessions.begin(user("anna"), 0.0)
    assert idle != used and len(used) >= 43
    now, step = 0.0, IDLE_SECONDS - 1
    while now + step <= LONGEST_SECONDS:
        now += step
        found = sessions.find(used, now)
        assert found is not None and found.user.name == "anna"
    assert sessions.find(idle, IDLE_SECONDS + 1) is None
    assert sessions.find(used, LONGEST_SECONDS + 1) is None
    assert len(sessions) == 0
    for strange in ("", "x", used + "x", "x" * 10_000, "\udcff"):
        assert sessions.find(strange, 0.0) is None


def test_sessions_are_bounded_and_one_user_ends_only_own_ones():
    sessions = Sessions()
    anna = sessions.begin(user("anna"), 0.0)
    tokens = [sessions.begin(user("bert"), 1.0 + each) for each in range(3 * MOST_OF_A_USER)]
    assert len(sessions) == MOST_OF_A_USER + 1
    assert sessions.find(anna, 100.0) and sessions.find(tokens[-1], 100.0)
    assert sessions.find(tokens[0], 100.0) is None
    for each in range(2 * MOST_SESSIONS):
        sessions.begin(user(f"user {each}"), 200.0 + each)
    assert len(sessions) == MOST_SESSIONS
    sessions.end(tokens[-1])
    assert sessions.find(tokens[-1], 300.0) is None
