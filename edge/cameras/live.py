"""A live camera: read in a process of its own, watched by the line's clock, replaced if need be."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from edge.cameras.camera import Frame, NoFrame
from edge.cameras.device import DeviceSettings, shown_source
from edge.cameras.frame_ring import FrameRing
from edge.cameras.health import Fault
from edge.cameras.messages import Captured, Trouble
from edge.cameras.recovery import Patience, Recovery, RecoveryStep
from edge.clock import Clock
from edge.errors import BadInput, CameraLost

WAIT_S = 0.05
"""The longest that the line waits for a frame before it looks after its gates."""
START_S = 20.0
"""The longest that a camera may take for its first picture."""
END_S = 1.0


class LiveCamera:
    """The newest frame of a camera that may hang, vanish, freeze or come back at any time.

    Attributes:
        restarts: how many times the process that reads it was replaced.
    """

    def __init__(self, settings: DeviceSettings, clock: Clock, patience: Patience) -> None:
        """Start reading and wait for the first picture, good or black.

        Args:
            settings: which camera, and what is asked of it.
            clock: of the line; frames are timed by it, and the camera is judged by it.
            patience: when silence is a fault, and what is done about it.

        Raises:
            BadInput: the camera does not open, or gives pictures that cannot be used.
        """
        self._settings, self._clock, self._patience = settings, clock, patience
        self._shown = shown_source(settings.source)
        self._first_sequence = self._next_sequence = 0
        self._fault: Fault | None = None
        self._newest: Frame | None = None
        self.restarts = 0
        self._closed = False
        self._process = _CaptureProcess(settings)
        self._discarded: list[_CaptureProcess] = []
        self._recovery = Recovery(patience, clock.now())
        try:
            self._await_first_picture()
        except BaseException:
            self.close()
            raise

    def read(self) -> Frame | NoFrame | None:
        """The newest frame not given yet; NoFrame when none comes within `WAIT_S`.

        None once the camera is closed.

        Raises:
            CameraLost: it has given nothing for `give_up_s`, in any new process.
        """
        if self._closed:
            return None
        frame = self._receive(0.0 if self._newest else WAIT_S) or self._newest
        self._newest = None
        now = self._clock.now()
        if frame is not None:
            self._recovery.good(frame.captured_at)
            # The line may have been busy for so long that even the newest frame is an old one.
            if not self._recovery.is_fault(now):
                self._fault = None
                return frame
        self._look_after(now)
        if not self._recovery.is_fault(now):
            return NoFrame()
        return NoFrame(self._named(self._fault.reason if self._fault else "it gives no pictures"))

    def close(self) -> None:
        """Stop reading."""
        if not self._closed:
            self._process.kill()
            self._discarded.append(self._process)
            self._closed = True
        end_at = time.monotonic() + END_S
        while self._bury() and time.monotonic() < end_at:
            time.sleep(0.01)

    def _await_first_picture(self) -> None:
        give_up_at = time.monotonic() + START_S
        while time.monotonic() < give_up_at and not self._process.ended:
            self._newest = self._receive(WAIT_S)
            if self._newest is not None or (self._fault is not None and not self._fault.reopen):
                return
            if self._fault is not None:
                raise BadInput(self._named(self._fault.reason))
        raise BadInput(f"{self._shown}: no picture within {START_S:.0f} s; check the camera")

    def _receive(self, wait_s: float) -> Frame | None:
        """The newest frame that has come, waiting for one; notes faults."""
        captured = None
        for message in self._process.messages(wait_s):
            if isinstance(message, Captured):
                captured = message
            else:
                self._fault, at = message.fault, self._line_time(message.at)
                (self._recovery.heard if message.fault.reopen else self._recovery.alive)(at)
        if captured is None:
            return None
        pixels = self._process.ring.read(captured.sequence)
        if pixels is None:
            return None
        sequence = self._first_sequence + captured.sequence
        self._next_sequence = sequence + 1
        return Frame(pixels, self._line_time(captured.captured_at), sequence)

    def _named(self, reason: str) -> str:
        """The reason, beginning with the camera it is about."""
        return reason if reason.startswith(self._shown) else f"{self._shown}: {reason}"

    def _line_time(self, monotonic: float) -> float:
        """A moment of the machine's clock as one of the line's."""
        return self._clock.now() - max(0.0, time.monotonic() - monotonic)

    def _look_after(self, now: float) -> None:
        """Replace the process, or give up, when it is time."""
        self._bury()
        step = self._recovery.due(now, self._process.ended)
        if step is RecoveryStep.GIVE_UP:
            why = self._fault.reason if self._fault else "check its power and cable"
            after = f"the camera did not come back in {self._patience.give_up_s:.0f} s"
            raise CameraLost(self._named(f"{after}; {why}"))
        if step is RecoveryStep.RESTART:
            self._process.kill()
            self._discarded.append(self._process)
            frozen = self._fault.frozen_picture if self._fault else None
            self._process = _CaptureProcess(replace(self._settings, frozen_picture=frozen))
            self._first_sequence = self._next_sequence
            self.restarts += 1

    def _bury(self) -> bool:
        """Forget killed processes that have ended; True while one has not.

        One that waits in a driver ends when the driver lets go, and nobody waits for that.
        """
        self._discarded = [process for process in self._discarded if not process.ended]
        return bool(self._discarded)


class _CaptureProcess:
    """The running `edge.cameras.capture`, with its ring and its pipe."""

    def __init__(self, settings: DeviceSettings) -> None:
        self.ring = FrameRing(settings.width, settings.height)
        self._pipe, theirs = Pipe(duplex=False)
        command = [sys.executable, "-m", "edge.cameras.capture"]
        try:
            self._process = subprocess.Popen(
                [*command, str(self.ring.fd), str(theirs.fileno())],
                pass_fds=(self.ring.fd, theirs.fileno()),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C at the terminal is the line's to handle
            )
        finally:
            theirs.close()
            self.ring.close()
        # The settings may hold a password, which a command line would show to everyone.
        assert self._process.stdin is not None
        self._stdin = self._process.stdin
        self._stdin.write(json.dumps(asdict(settings)).encode() + b"\n")
        self._stdin.flush()

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.poll() is not None

    def messages(self, wait_s: float) -> list[Captured | Trouble]:
        """All messages that have come, waiting up to `wait_s` for the first."""
        return _received(self._pipe, wait_s)

    def kill(self) -> None:
        """End the process without waiting for it."""
        self._process.kill()
        self._stdin.close()
        self._pipe.close()


def _received(pipe: Connection, wait_s: float) -> list[Captured | Trouble]:
    messages: list[Captured | Trouble] = []
    try:
        while pipe.poll(0 if messages else wait_s):
            messages.append(pipe.recv())
    except (EOFError, OSError):
        # It has ended. Not to be asked again and again without a pause.
        if not messages:
            time.sleep(wait_s)
    return messages
