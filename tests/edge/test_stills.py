"""A whole frame on request, as the camera took it, and what is no answer to it."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edge.cameras.camera import Frame
from edge.errors import BadInput
from edge.stills import REQUEST_NAME, STILL_NAME, StillTaker, ask_for_still, read_still

PIXELS = np.random.default_rng(3).integers(0, 256, (90, 160, 3), dtype=np.uint8)


def test_a_frame_arrives_to_the_last_bit_and_only_who_asks_gets_one(tmp_path: Path) -> None:
    taker, ended = StillTaker(tmp_path), threading.Event()

    def run() -> None:
        number = 0
        while not ended.wait(0.02):
            taker.offer(Frame(PIXELS, 10.0 + number, number), 250.0 * number)
            number += 1

    line = threading.Thread(target=run)
    line.start()
    try:
        time.sleep(0.3)
        assert not (tmp_path / STILL_NAME).exists(), "nobody asked"
        for _ in range(2):
            still = ask_for_still(tmp_path, 10.0)
            assert np.array_equal(still.pixels, PIXELS)
            assert still.encoder_mm == 250.0 * (still.captured_at - 10.0)
        assert not (tmp_path / REQUEST_NAME).exists()
        (tmp_path / REQUEST_NAME).write_bytes(b"{" * 5000)
        (tmp_path / REQUEST_NAME).unlink(missing_ok=True)
        (tmp_path / REQUEST_NAME).write_text('{"number": "../../x"}')
        assert ask_for_still(tmp_path, 10.0).pixels.shape == PIXELS.shape, "nonsense ends nothing"
        assert taker.alive
    finally:
        ended.set()
        line.join()
        taker.close()


def test_without_a_line_there_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="gives no picture"):
        ask_for_still(tmp_path, 0.3)
    with pytest.raises(BadInput, match="cannot be written"):
        ask_for_still(tmp_path / "absent", 0.3)
    head = b'{"number": "%s", "captured_at": 1, "encoder_mm": 2}\n' % (b"0" * 16)
    (tmp_path / STILL_NAME).write_bytes(head + b"no picture")
    with pytest.raises(BadInput, match="no picture"):
        read_still(tmp_path, "0" * 16)
    assert read_still(tmp_path, "1" * 16) is None
    for content in (b"", b"\x00" * 2000, head.replace(b"1,", b"1e999,") + b"x"):
        (tmp_path / STILL_NAME).write_bytes(content)
        assert read_still(tmp_path, "0" * 16) is None
