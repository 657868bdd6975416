"""A board in a scratch folder whose program is updated; its installer is the real one.

As a program it makes one visit, so that a test can kill it: `program_board.py ROOT REPOSITORY`.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge.errors import EwasteError
from edge.program import procedure
from edge.program.board import LINE, PAGE, Bounds, UpdatedBoard
from edge.program.procedure import noted, pull, used_version
from edge.program.trial import settle
from edge.setup import services
from edge.setup.environment import is_whole, made
from edge.setup.kit import program_in, read_kit, require_whole
from edge.setup.procedure import install, take_on_trial
from edge.setup.source import WHEEL, ProgramSource
from edge.standstill import BeltRest
from edge.status import RUNNING, Status, write_status
from edge.update.offer import Ring
from edge.update.upstream import Upstream
from tests.support.device import PI, Device

BOUNDS = Bounds(up_s=30, stays_s=6, look_s=1, moves_s=4)


class ProgramBoard:
    """A board with a line, whose time passes only while somebody waits.

    Attributes:
        faults: version -> what is wrong with it: `dead`, `frozen`, `crashing`, `doctor`, `check`,
            or `installer`.
        belt: whether the belt stands.
        device: what the installer works on.
        on_step: is called before each command and each wait.
    """

    def __init__(self, root: Path) -> None:
        self.device = Device(root)
        self.places = self.device.places
        self.faults: dict[str, str] = {}
        self.belt = BeltRest.STANDS
        self.on_step: Callable[[], object] = lambda: None
        self._time, self._frames, self._process = time.time(), 0, 100
        services.shutil.which = lambda name: name
        os.sync = lambda: None
        procedure.require_room = lambda places: None
        self.board = UpdatedBoard(
            places=self.places,
            state=self.places.state,
            run=self.run,
            bounds=BOUNDS,
            now=lambda: self._time,
            wait=self.wait,
        )

    def set_up(self, wheel: Path) -> None:
        """Install a first program, and let the line run."""
        list(install(self.places, PI, ProgramSource(wheel), None, self.device.run))
        self.places.updates.mkdir(parents=True)
        self.start()

    def start(self) -> None:
        """The services run, as after the start of the machine."""
        self.device.active |= {LINE, PAGE}
        self.wait(1)

    @property
    def version(self) -> str:
        """Of the program in use."""
        return used_version(self.board)

    def wait(self, seconds: float) -> None:
        """Let time pass; a line that works looks at frames meanwhile."""
        self.on_step()
        self._time += seconds
        fault = self.faults.get(self.version, "")
        if fault == "dead":
            self.device.active -= {LINE}
        elif fault != "frozen":
            self._frames += int(10 * seconds)
        if fault == "crashing":
            self._process += 1
        if LINE in self.device.active:
            status = Status(
                updated_at=self._time, state=RUNNING, frames=self._frames, belt=self.belt
            )
            write_status(self.places.state, status)

    def run(
        self,
        command: Sequence[object],
        *,
        seconds: float,
        environment: Mapping[str, str] | None = None,
        tied: bool = True,
    ) -> str:
        self.on_step()
        words = [str(word) for word in command]
        if words[-1] == "--beside":
            kit = read_kit(Path(words[1]).parent)
            require_whole(kit)
            source = ProgramSource(program_in(kit))
            return made(
                self.places, python="3.11", source=source, kit=kit, run=self.device.run
            ).line
        if words[-1] == "--on-trial":
            return self._take(Path(words[0]).parents[1])
        if "doctor" in words:
            fails = self._fault_of(Path(words[4]).parents[1]) == "doctor"
            state = "failure" if fails else "ok"
            return json.dumps({"checks": [{"name": "runtime", "state": state}]})
        if words[1] == "check" and self._fault_of(Path(words[0]).parents[1]) == "check":
            raise EwasteError("ewaste-edge check: exit code 2: decision.threshold: no such key")
        if "--property=MainPID" in words:
            return str(self._process)
        return self.device.run(command, seconds=seconds, environment=environment, tied=tied)

    def _take(self, environment: Path) -> str:
        if self._fault_of(environment) == "installer":
            raise EwasteError("ewaste-edge setup: exit code 1: No module named edge")
        (wheel,) = environment.glob(WHEEL)
        source = ProgramSource(wheel, is_installed=True)
        lines = [step.line for step in take_on_trial(self.places, PI, source, self.device.run)]
        self._process += 1
        return "\n".join(lines)

    def _fault_of(self, environment: Path) -> str:
        (wheel,) = environment.glob(WHEEL)
        return self.faults.get(wheel.name.split("-")[1], "")

    def visit(self, upstream: Upstream, patience_s: float = 0.0) -> str:
        """What `ewaste-edge update --program` does."""
        with noted(self.board):
            settled = settle(self.board)
            if settled is not None:
                return settled
            return pull(self.board, upstream, PI, as_root=False, patience_s=patience_s)

    def is_whole(self) -> bool:
        """Whether the program in use, and what is gone back to, are whole."""
        return is_whole(self.places.program) and is_whole(self.places.proven)


def upstream_of(url: str, root: Path, folder: Path, **changes: object) -> Upstream:
    """A repository whose first root is trusted."""
    fields = {"url": url, "ring": Ring.CANARY, "root": root, "folder": folder, "timeout_s": 60.0}
    return Upstream(**{**fields, **changes})


def main() -> None:
    """Visit once, and say at each step that it begins."""
    root, repository = Path(sys.argv[1]), Path(sys.argv[2])
    board = ProgramBoard(root)
    board.faults = json.loads(sys.argv[3])
    board.start()
    board.on_step = lambda: (print("step", flush=True), time.sleep(0.005))
    trusted = repository / "metadata/1.root.json"
    try:
        print(board.visit(upstream_of(repository.as_uri(), trusted, root / "unused")))
    except EwasteError as error:
        print(f"error: {error}")


if __name__ == "__main__":
    main()
