import os

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
