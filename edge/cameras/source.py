"""The camera that a configuration names."""

from pathlib import Path

from edge.cameras.camera import Camera
from edge.cameras.device import STREAMS, DeviceSettings, is_live, shown_source
from edge.cameras.live import LiveCamera
from edge.cameras.recovery import Patience
from edge.clock import Clock
from edge.errors import BadInput

FILMS_TOO = frozenset({".gif"})
"""Endings of pictures that may as well be films."""


def open_camera(
    settings: DeviceSettings,
    patience: Patience,
    clock: Clock,
) -> Camera:
    """Open a live camera, a video file, a picture or a folder of pictures.

    Args:
        settings: which source, and what is asked of it.
        patience: what is done when a live camera gives nothing.
        clock: of the line.

    Raises:
        BadInput: it cannot be opened, or cannot do what is asked of it.
    """
    source = settings.source
    if not source.strip() or "\0" in source:
        raise BadInput("no camera is named; give a camera, an address, a video file or a folder")
    if is_live(source):
        return LiveCamera(settings, clock, patience)
    # A line with a live camera need not wait for what reads files.
    from edge.cameras.file import VideoFile
    from edge.cameras.folder import PictureFolder
    from edge.photos.reading import PHOTO_SUFFIXES

    path, size = Path(source), (settings.width, settings.height)
    if "://" in source and not path.exists():
        known = ", ".join(f"{scheme}://" for scheme in STREAMS)
        raise BadInput(f"{shown_source(source)}: no address of a camera; these are: {known}")
    is_picture = path.suffix.lower() in PHOTO_SUFFIXES - FILMS_TOO and path.is_file()
    if path.is_dir() or is_picture:
        return PictureFolder(path, clock, settings.fps, size)
    return VideoFile(path, clock, size, settings.fps)
