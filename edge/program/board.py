"""The board that a program is updated on, and what it looks like from root's side."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from edge.errors import BadInput, EwasteError
from edge.files import read_bounded
from edge.setup.commands import Runner, run
from edge.setup.environment import environments, is_whole
from edge.setup.places import Places
from edge.setup.source import WHEEL, file_digest
from edge.status import STATUS_NAME, Status
from edge.update.program_history import (
    ProgramHistory,
    read_program_history,
    write_program_history,
)

LINE, PAGE = "ewaste-line.service", "ewaste-panel.service"
SERVICES = (LINE, PAGE)
MOST_STATUS_BYTES = 2**20
ASKED_S = 60.0


@dataclass(frozen=True)
class Bounds:
    """How long a program on trial is watched.

    Attributes:
        up_s: within this time all that ran before must run, s.
        stays_s: and go on running for this time, s.
        look_s: between two looks, s.
        moves_s: frames move if there was a new one within this time, s.
    """

    up_s: float = 300.0
    stays_s: float = 60.0
    look_s: float = 2.0
    moves_s: float = 20.0


@dataclass(frozen=True)
class UpdatedBoard:
    """A board, and what is run on it.

    Attributes:
        places: of the installation.
        state: folder of the line.
        run: runs other programs.
        bounds: of a trial.
        now: unix seconds.
        wait: lets so many seconds pass.
    """

    places: Places = field(default_factory=Places)
    state: Path = Path("/var/lib/ewaste-edge")
    run: Runner = run
    bounds: Bounds = Bounds()
    now: Callable[[], float] = time.time
    wait: Callable[[float], None] = time.sleep

    @property
    def history(self) -> ProgramHistory:
        """What is remembered of the programs that were pulled."""
        return read_program_history(self.places.updates)

    def remember(self, **changes: object) -> ProgramHistory:
        """Change the history; returns the new one.

        Raises:
            EwasteError: it cannot be written.
        """
        changed = self.history.model_copy(update=changes)
        try:
            write_program_history(self.places.updates, changed)
        except OSError as error:
            where = self.places.updates
            raise EwasteError(f"{where}: cannot be written ({error.strerror})") from None
        return changed

    def status(self) -> Status | None:
        """The status of the line, whose folder others than root write; None: there is none."""
        try:
            content = read_bounded(self.state / STATUS_NAME, MOST_STATUS_BYTES)
            return Status.model_validate_json(content)
        except (OSError, BadInput, ValidationError):
            return None

    def active(self) -> tuple[str, ...]:
        """The services that run."""
        return tuple(name for name in SERVICES if self._answers("is-active", name) == "active")

    def main_process(self, name: str) -> str:
        """The number of the main process of a service; another one after each start."""
        return self._answers("show", "--property=MainPID", "--value", name)

    def environment_of(self, digest: str) -> Path | None:
        """The whole environment with the program of this digest; None: there is none."""
        for folder in environments(self.places):
            wheels = sorted(folder.glob(WHEEL)) if is_whole(folder) else []
            if any(file_digest(wheel) == digest for wheel in wheels):
                return folder
        return None

    def _answers(self, *question: str) -> str:
        try:
            return self.run(("systemctl", *question), seconds=ASKED_S).strip()
        except EwasteError:
            return ""
