"""A camera over the simulated belt."""

from edge.cameras.camera import Frame
from edge.clock import Clock
from edge.encoders.encoder import Encoder
from edge.simulator.scene import Scene

SPEED_OVER_S = 0.001


class SimulatedCamera:
    """Takes `fps` pictures of a scene per second of a clock, be it virtual or the machine's."""

    def __init__(
        self,
        scene: Scene,
        motion: Encoder,
        clock: Clock,
        fps: float,
        end_mm: float | None = None,
        *,
        realtime: bool = False,
    ) -> None:
        """Set up; the first frame is due at once.

        Args:
            scene: what to look at.
            motion: of the belt.
            clock: time; reading a frame lets it pass.
            fps: frames per second.
            end_mm: the source ends when the belt is beyond this reading; None: never.
            realtime: leave out the frames the reader was too slow for, as a real camera would;
                `sequence` then has gaps. Otherwise every frame is given, each 1 / fps after
                the last.
        """
        self._scene = scene
        self._motion = motion
        self._clock = clock
        self._fps = fps
        self._end_mm = end_mm
        self._realtime = realtime
        self._started_at = clock.now()
        self._sequence = 0
        self.skipped = 0
        """Frames left out so far."""

    def read(self) -> Frame | None:
        """The next frame, or None when the belt has passed `end_mm`."""
        now = self._clock.now()
        if self._realtime:
            late = int((now - self._started_at) * self._fps) - self._sequence
            self.skipped += max(0, late)
            self._sequence += max(0, late)
        due_at = self._started_at + self._sequence / self._fps
        self._clock.sleep(max(0.0, due_at - now))
        belt_mm = self._motion.position_mm(due_at)
        if self._end_mm is not None and belt_mm > self._end_mm:
            return None
        speed_mm_s = (belt_mm - self._motion.position_mm(due_at - SPEED_OVER_S)) / SPEED_OVER_S
        frame = Frame(self._scene.render(belt_mm, due_at, speed_mm_s), due_at, self._sequence)
        self._sequence += 1
        return frame

    def close(self) -> None:
        """Nothing to release."""
