"""What stops the sorting, and what ends that, is logged once."""

import numpy as np

from edge.cameras.camera import Frame
from edge.encoders.encoder import HEALTHY, EncoderHealth
from edge.line_changes import LineChanges
from edge.operation import Mode
from edge.tally import LineStep

SLIPS = EncoderHealth(trusted=False, message="the belt slips")
FRAME = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0)


def seen(belt: EncoderHealth = HEALTHY) -> LineStep:
    return LineStep(FRAME, 0.0, (), (), belt=belt)


def test_a_change_is_logged_once_and_so_is_its_end(logged: list[str]) -> None:
    changes = LineChanges("film.mp4")
    blind = LineStep(None, 0.0, (), (), "film.mp4: unplugged")
    steps = [seen(), blind, blind, seen(), seen(SLIPS), seen(SLIPS), seen()]
    worked_otherwise = [changes.see(step, Mode.SORT, "", now) for now, step in enumerate(steps)]
    assert worked_otherwise == [False, True, False, True, True, False, True]
    assert logged == [
        "film.mp4: unplugged; the gates are closed until it is back",
        "film.mp4: back after 2.0 s, the line goes on",
        "the belt slips; the gates are closed until the belt is measured again",
        "the belt is measured as it should be again",
    ]
    assert changes.belt == HEALTHY


def test_who_asked_for_another_mode_is_logged(logged: list[str]) -> None:
    changes = LineChanges("film.mp4")
    assert changes.see(seen(), Mode.PAUSE, "Ada", 0.0)
    assert not changes.see(seen(), Mode.PAUSE, "Ada", 1.0)
    assert changes.see(seen(), Mode.SORT, "", 2.0)
    assert "as Ada asked" in logged[0] and logged[1] == "the line sorts again, as somebody asked"
