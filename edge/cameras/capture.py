"""The process that reads a live camera: python -m edge.cameras.capture, started by `live`.

It gets its settings as one line of JSON on its standard input and ends when that is closed, so that
it never outlives the line. Frames go into shared memory, word of them through a pipe. Whatever
hangs or crashes in a driver hangs or crashes here.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from edge.cameras.backlog import Backlog
from edge.cameras.device import Device, DeviceSettings
from edge.cameras.frame_ring import FrameRing
from edge.cameras.health import Fault, PictureCheck
from edge.cameras.messages import Captured, Trouble
from edge.cameras.opening import open_device
from edge.errors import EwasteError

LEAST_PAUSE_S, MOST_PAUSE_S = 0.2, 2.0  # before a lost camera is opened again


def capture(
    settings: DeviceSettings, ring: FrameRing, send: Callable[[Captured | Trouble], None]
) -> None:
    """Read the camera for ever, opening it again, more and more patiently, whenever it fails."""
    sequence, pause_s = 0, LEAST_PAUSE_S
    check = PictureCheck(
        settings.width, settings.height, settings.frozen_s, settings.frozen_picture
    )
    while True:
        began_with = sequence
        try:
            device = open_device(settings)
        except EwasteError as error:
            fault = Fault(str(error))
        else:
            backlog = Backlog(settings.fps, time.monotonic())
            sequence, fault = pump(device, check, backlog, ring, send=send, sequence=sequence)
            device.close()
        send(Trouble(fault, time.monotonic()))
        pause_s = LEAST_PAUSE_S if sequence > began_with else min(MOST_PAUSE_S, 2 * pause_s)
        time.sleep(pause_s)


def pump(
    device: Device,
    check: PictureCheck,
    backlog: Backlog,
    ring: FrameRing,
    *,
    send: Callable[[Captured | Trouble], None],
    sequence: int,
) -> tuple[int, Fault]:
    """Pass frames on until the device has to be opened again; the next sequence number, and why."""
    while True:
        taken = device.read()
        if taken is None:
            return sequence, Fault("the camera gives no more pictures")
        pixels, taken_at = taken
        fault = check.fault(pixels, taken_at)
        if fault is not None and fault.reopen:
            return sequence, fault
        if fault is not None:
            send(Trouble(fault, taken_at))
        elif not backlog.is_old(time.monotonic()):
            ring.write(sequence, pixels)
            send(Captured(sequence, taken_at))
        sequence += 1


def end_with_parent() -> None:
    """End this process at once, hung driver or not, when its standard input is closed."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


def main(ring_fd: int, pipe_fd: int) -> None:
    """Capture until the line has gone."""
    settings = DeviceSettings(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=end_with_parent, daemon=True).start()
    ring = FrameRing(settings.width, settings.height, ring_fd)
    with Connection(pipe_fd, readable=False) as pipe, suppress(BrokenPipeError):
        capture(settings, ring, pipe.send)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
