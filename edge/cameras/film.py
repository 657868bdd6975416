"""Play a film of a simulated belt (`edge.simulator.filming`) as a camera."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.cameras.device import FILM
from edge.errors import BadInput

FRAMES, FACTS = "frames.npy", "film.json"


@dataclass(frozen=True)
class Film:
    """What a film shows.

    Attributes:
        fps: pictures a second.
        speed_mm_s: of the belt.
        loop_mm: the belt that it shows before it begins again, without a seam.
        labels: of the items on it, first on the belt first.
    """

    fps: float
    speed_mm_s: float
    loop_mm: float
    labels: tuple[str, ...]


def read_film(folder: Path) -> Film:
    """What a film shows.

    Raises:
        BadInput: there is no film in the folder.
    """
    try:
        facts = json.loads((folder / FACTS).read_text())
        return Film(**{**facts, "labels": tuple(facts["labels"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder}: no film of a simulated belt ({error})") from None


class FilmDevice:
    """Shows a film in real time, over and over (`edge.cameras.device.Device`)."""

    def __init__(self, source: str) -> None:
        """Open the film `film://FOLDER`.

        Raises:
            BadInput: there is none.
        """
        folder = Path(source.removeprefix(FILM))
        self._fps = read_film(folder).fps
        try:
            self._frames = np.load(folder / FRAMES, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise BadInput(f"{folder / FRAMES}: cannot be read ({error})") from None
        self._began_at, self._shown = time.monotonic(), 0

    def read(self) -> tuple[np.ndarray, float]:
        """Wait for the next picture; those that were missed are left out."""
        late = int((time.monotonic() - self._began_at) * self._fps) - self._shown
        self._shown += max(0, late)
        due_at = self._began_at + self._shown / self._fps
        time.sleep(max(0.0, due_at - time.monotonic()))
        pixels = self._frames[self._shown % len(self._frames)]
        self._shown += 1
        return pixels, due_at

    def close(self) -> None:
        """Nothing to release."""
