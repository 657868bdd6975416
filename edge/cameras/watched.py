"""A camera whose frames somebody else sees first."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.cameras.camera import Camera, Frame, NoFrame


@dataclass(frozen=True)
class WatchedCamera:
    """Shows each frame to `watch` before it gives it; `finish` is called when it is closed."""

    camera: Camera
    watch: Callable[[Frame], None]
    finish: Callable[[], None] = lambda: None

    def read(self) -> Frame | NoFrame | None:
        """The camera's next frame, after `watch` has had it.

        Raises:
            CameraLost: a live camera did not come back.
        """
        frame = self.camera.read()
        if isinstance(frame, Frame):
            self.watch(frame)
        return frame

    def close(self) -> None:
        """Close the camera."""
        self.finish()
        self.camera.close()
