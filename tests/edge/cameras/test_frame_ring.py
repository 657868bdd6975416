import os
import subprocess
import sys

import numpy as np

from edge.cameras.frame_ring import SLOTS, FrameRing


def test_the_other_end_reads_what_was_written_until_it_is_written_over():
    writer = FrameRing(32, 24)
    reader = FrameRing(32, 24, os.dup(writer.fd))
    frames = [np.full((24, 32, 3), 10 * number, np.uint8) for number in range(SLOTS + 1)]
    for number in range(SLOTS):
        writer.write(number, frames[number])
    read = reader.read(0)
    writer.write(SLOTS, frames[SLOTS])
    assert np.array_equal(read, frames[0])  # a copy
    assert reader.read(0) is None
    assert np.array_equal(reader.read(SLOTS), frames[SLOTS])
    for ring in (writer, reader):
        ring.close()
        ring.close()
    assert np.array_equal(reader.read(1), frames[1])


LOCK_SLOT_0 = """
import fcntl, sys
fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX, 1, 0)
print(flush=True)
sys.stdin.read()
"""


def test_a_slot_that_another_process_holds_is_left_out_and_is_free_once_that_is_killed():
    ring = FrameRing(32, 24)
    frame = np.full((24, 32, 3), 7, np.uint8)
    ring.write(0, frame)
    command = [sys.executable, "-c", LOCK_SLOT_0, str(ring.fd)]
    with subprocess.Popen(
        command, pass_fds=(ring.fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        ring.write(SLOTS, frame + 1)
        assert ring.read(0) is None
        ring.write(1, frame + 2)
        assert np.array_equal(ring.read(1), frame + 2)
        holder.kill()
        holder.wait()
    assert ring.read(SLOTS) is None
    assert np.array_equal(ring.read(0), frame)
    ring.close()
