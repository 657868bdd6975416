import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.belt.detector import Detector
from edge.belt.geometry import Geometry
from edge.belt.tracker import Tracker
from edge.cameras.file import VideoFile
from edge.clock import VirtualClock
from edge.encoders.encoder import TimedEncoder
from edge.errors import BadInput
from edge.simulator.layout import place_items
from edge.simulator.pieces import drawn_pieces
from edge.simulator.scene import Scene

VIEW = Geometry(640, 360, 1.25)


def write_video(path, frames, fps) -> Path:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def gray_frames(count, size=(120, 160)):
    return [np.full((*size, 3), 10 * index, np.uint8) for index in range(count)]


def read_all(camera):
    frames = []
    while (frame := camera.read()) is not None:
        frames.append(frame)
    return frames


def test_a_file_gives_its_frames_at_its_own_timing_and_ends(tmp_path):
    red = np.zeros((120, 160, 3), np.uint8)
    red[..., 0] = 200
    path = write_video(tmp_path / "belt.mp4", [*gray_frames(11), red], fps=20)
    clock = VirtualClock(start=50.0)
    camera = VideoFile(path, clock)
    frames = read_all(camera)
    assert [frame.sequence for frame in frames] == list(range(12))
    assert [frame.captured_at for frame in frames] == pytest.approx(
        [50 + index / 20 for index in range(12)]
    )
    assert clock.now() == pytest.approx(50.55)
    assert frames[7].pixels.mean() == pytest.approx(70, abs=4)
    assert frames[-1].pixels[60, 80] == pytest.approx([200, 0, 0], abs=12)  # RGB, not BGR
    camera.close()
    camera.close()
    assert camera.read() is None


def test_a_slow_reader_gets_every_frame_and_in_the_size_it_wants(tmp_path):
    path = write_video(tmp_path / "belt.mp4", gray_frames(12), fps=20)
    clock = VirtualClock()
    camera = VideoFile(path, clock, size=(80, 60))
    assert camera.read().pixels.shape == (60, 80, 3)
    clock.sleep(60.0)
    frame = camera.read()
    assert (frame.sequence, frame.captured_at) == (1, pytest.approx(0.05))
    assert len(read_all(camera)) == 10


@pytest.mark.parametrize("content", [None, b"", b"no video"])
def test_what_is_no_video_is_one_line(tmp_path, capfd, content):
    path = tmp_path / "belt.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"belt\.mp4") as error:
        VideoFile(path, VirtualClock())
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_items_filmed_into_a_file_are_counted_once_each(tmp_path):
    items = place_items(drawn_pieces(6, VIEW), 10, seed=6, geometry=VIEW)
    scene, encoder = Scene(items, VIEW, seed=6), TimedEncoder(250.0, started_at=0.0)
    frames = [scene.render(at * 25.0) for at in range(int(scene.end_mm / 25) + 1)]
    path = write_video(tmp_path / "belt.mp4", frames, fps=10)
    detector, tracker, found = Detector(VIEW), Tracker(), {}
    for frame in read_all(VideoFile(path, VirtualClock())):
        encoder_mm = encoder.position_mm(frame.captured_at)
        detections = detector.detect(frame.pixels)
        for item, _ in tracker.update(detections, VIEW, encoder_mm, frame.captured_at):
            found[item.number] = item.position_mm
    assert [found[number] for number in sorted(found)] == pytest.approx(
        [item.position_mm for item in items], abs=10.0
    )


def test_a_film_that_is_stretched_or_breaks_off_says_so(tmp_path, logged):
    whole = write_video(tmp_path / "whole.avi", gray_frames(20), fps=20)
    assert len(read_all(VideoFile(whole, VirtualClock(), (160, 120)))) == 20
    assert logged == []
    read_all(VideoFile(whole, VirtualClock(), (160, 90)))
    assert len(logged) == 1 and "160x120" in logged[0] and "160x90" in logged[0]
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    logged.clear()
    read = read_all(VideoFile(whole, VirtualClock()))
    assert 0 < len(read) < 15
    assert logged == [] or f"broke off after {len(read)} of 20" in logged[0]


def test_a_film_without_a_picture_is_an_error(tmp_path):
    path = write_video(tmp_path / "belt.avi", gray_frames(5), fps=20)
    content = path.read_bytes()
    first = content.index(b"00dc")  # the first picture; what comes before says that there are five
    path.write_bytes(content[:first] + bytes(len(content) - first))
    with pytest.raises(BadInput, match=r"belt\.avi"):
        read_all(VideoFile(path, VirtualClock()))


def test_a_pipe_is_no_film_and_does_not_hold_up_the_line(tmp_path):
    os.mkfifo(tmp_path / "belt.mp4")
    with pytest.raises(BadInput, match="no regular file"):
        VideoFile(tmp_path / "belt.mp4", VirtualClock())
