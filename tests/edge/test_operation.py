"""What the operator asks of the line, as the line reads it."""

import os

import pytest

from edge.errors import BadInput
from edge.operation import MOST_BYTES, ORDER_NAME, Mode, Order, OrderWatch, read_order, write_order
from tests.support.waiting import wait_until

PAUSED = Order(mode=Mode.PAUSE, by="anna", at=1000.0)
DAMAGED = {
    "empty": b"",
    "cut off": PAUSED.model_dump_json().encode()[:-4],
    "another mode": b'{"mode": "faster"}',
    "no mode": b'["pause"]',
    "no text": b"\xff\xfe\x00",
    "a long name": b'{"mode": "pause", "by": "%s"}' % (b"x" * 100),
    "no time": b'{"mode": "pause", "at": "NaN"}',
    "a time without a date": b'{"mode": "pause", "at": 1e300}',
    "too long": b" " * (MOST_BYTES + 1),
}


def damage(state, how: str) -> None:
    path = state / ORDER_NAME
    path.unlink(missing_ok=True)
    if how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(DAMAGED[how])


def test_what_is_asked_is_read_again(tmp_path):
    assert read_order(tmp_path) == Order(mode=Mode.SORT, by="", at=0.0)
    write_order(tmp_path, PAUSED)
    assert read_order(tmp_path) == PAUSED
    assert (tmp_path / ORDER_NAME).stat().st_mode & 0o777 == 0o600


def test_nothing_is_asked_of_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match="no state folder of a line"):
        write_order(tmp_path / "absent", PAUSED)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("how", [*DAMAGED, "a folder", "a pipe"])
def test_a_damaged_order_is_named_in_one_line(tmp_path, how):
    damage(tmp_path, how)
    with pytest.raises(BadInput, match=ORDER_NAME) as raised:
        read_order(tmp_path)
    assert "\n" not in str(raised.value)


def test_the_line_follows_what_is_asked(tmp_path):
    watch = OrderWatch(tmp_path)
    try:
        assert watch.mode is Mode.SORT
        write_order(tmp_path, PAUSED)
        wait_until(lambda: watch.order == PAUSED, 5)
    finally:
        watch.close()
    assert not watch.alive


def test_damage_changes_nothing_while_the_line_runs(tmp_path, logged):
    write_order(tmp_path, PAUSED)
    watch = OrderWatch(tmp_path)
    try:
        for how in ("cut off", "a pipe", "another mode"):
            damage(tmp_path, how)
            wait_until(lambda: watch.error is not None, 5)
            assert watch.order == PAUSED
            (tmp_path / ORDER_NAME).unlink()
            write_order(tmp_path, PAUSED)
            wait_until(lambda: watch.error is None, 5)
    finally:
        watch.close()
    assert len(logged) == 3 and all("goes on as before" in line for line in logged)


def test_a_line_that_starts_with_a_damaged_order_sorts_nothing(tmp_path):
    damage(tmp_path, "cut off")
    watch = OrderWatch(tmp_path)
    watch.close()
    assert watch.mode is Mode.MANUAL and watch.error
