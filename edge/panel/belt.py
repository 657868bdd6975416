"""The tab "Belt": the set-up of the belt by a printed sheet, picture by picture.

The line hands over whole frames on request (`edge.stills`); what they show is measured as by
`ewaste-edge calibrate belt`. Nothing is written before an admin confirms it, and the line takes it
when it starts anew.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import cv2
from pydantic import BaseModel, ConfigDict, Field

from edge.belt_setup.detection import Flaw, Unusable
from edge.belt_setup.grades import Aspect, Grade
from edge.belt_setup.measuring import MeasuredView, SheetSighting, look, measure
from edge.belt_setup.motion import Direction, direction_of
from edge.belt_setup.printing import to_pdf
from edge.belt_setup.procedure import NEAREST_GATE_MM, BeltFinding, conclude, require_fit
from edge.belt_setup.report import CORNERS, changed
from edge.belt_setup.sheet import SHEETS, Paper, boards_printed
from edge.belt_setup.watching import UNCLEAR, Watched
from edge.belt_setup.writing import Change, new_text, read_toml_text, write_text
from edge.config import Config, read_config
from edge.errors import EwasteError
from edge.panel.door import may_administer
from edge.panel.fragments import render
from edge.panel.guard import FORGET, PICTURE, WRITE
from edge.panel.languages import N_, _
from edge.panel.posted import NotDone, NothingMore, in_thread, posted
from edge.panel.sentences import sentence
from edge.panel.visitor import Visitor, log_action, visitor_of
from edge.status import read_status
from edge.stills import Still, ask_for_still

MOST_BYTES = 400
PICTURE_SECONDS = 4.0
"""How long the line may take to hand a picture over."""
MOST_PICTURES = 30
STILL_MM_S = 5.0
"""A belt that is slower as a picture is taken stands: it shows no speed."""
RESTARTED_MM = 100.0
"""A position so far back is that of a line that has started anew."""
LONGEST_BIN = 64
SPEED = ("belt", "speed_mm_s")
FLAWS: Mapping[Flaw, str] = {
    Flaw.NO_SHEET: N_("There is no sheet in the picture. See that all of it is in view and lit."),
    Flaw.TOO_FEW_CORNERS: N_("Too little of the sheet can be made out. See to view and focus."),
    Flaw.OTHER_DICTIONARY: N_("This is another sheet. Print the one that is offered here."),
    Flaw.OTHER_BOARD: N_("This is another sheet. Print the one that is offered here."),
    Flaw.MIRRORED: N_("The picture is mirrored. Switch the flip of the camera off."),
    Flaw.NOT_FLAT: N_("The sheet is not flat. Glue it on a stiff board."),
    Flaw.BENT: N_("The sheet is bent, or the lens distorts too much."),
    Flaw.NOT_ON_BELT: N_("The sheet lay in another plane. Lay it flat, and begin anew."),
}
DIRECTIONS: Mapping[Direction, str] = {
    Direction.RIGHT: N_("to the right"),
    Direction.DOWN: N_("down"),
    Direction.LEFT: N_("to the left"),
    Direction.UP: N_("up"),
}
GRADES: Mapping[Grade, str] = {
    Grade.GOOD: N_("good"),
    Grade.POOR: N_("poor"),
    Grade.BAD: N_("bad"),
}
REMEDIES: Mapping[Aspect, str] = {
    Aspect.DIRECTION: N_("Turn the camera until the belt moves along the rows of the picture."),
    Aspect.TILT: N_("Mount the camera so that it looks straight down."),
    Aspect.FOCUS: N_("Focus the lens on the belt, and clean it."),
    Aspect.MOTION_BLUR: N_("Shorten the exposure, and give more light."),
    Aspect.EXPOSURE: N_("Change light, exposure, or gain until the paper is bright, not white."),
}


class PictureAsked(BaseModel):
    """The body of a request for a picture.

    Attributes:
        ruler: what the printed line of 100 mm measures, mm.
        bin: of the gate that the sheet's gate line is at; empty: at none.
    """

    model_config = ConfigDict(extra="forbid")

    ruler: Annotated[float, Field(ge=80, le=120, allow_inf_nan=False)] = 100.0
    bin: Annotated[str, Field(max_length=LONGEST_BIN)] = ""


class WriteAsked(BaseModel):
    """The body of a request to write what was measured: as the visitor saw it."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=0, le=10**9)]


@dataclass(frozen=True)
class LineConfig:
    """The configuration that the belt is set up in.

    Attributes:
        config: of the line.
        file: that it was read from; None: from none, so nothing is written.
    """

    config: Config = field(default_factory=Config)
    file: Path | None = None


@dataclass(frozen=True)
class Written:
    """What was written, by whom, and when (unix seconds)."""

    by: str
    at: float
    kept: str


class BeltSetup:
    """What the pictures of one set-up have shown. One at a time, whoever takes them.

    Attributes:
        revision: counts up with each change of what is shown.
        speed_mm_s: of the belt; None: not measured.
    """

    def __init__(
        self, state: Path, line: LineConfig, ask: Callable[[Path, float], Still] = ask_for_still
    ) -> None:
        """Begin without pictures.

        Args:
            state: the state folder of the line.
            line: its configuration.
            ask: asks the line for a picture.
        """
        self._state, self.line, self._ask = state, line, ask
        self._lock = threading.Lock()
        self.revision = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._begin(PictureAsked())

    def _begin(self, asked: PictureAsked) -> None:
        self._watched, self.asked = Watched(), asked
        self._on_the_way: list[SheetSighting] = []  # while the belt moved
        self.speed_mm_s: float | None = None
        self.finding: BeltFinding | Unusable | None = None
        self.last_flaw: Flaw | None = None
        self.written: Written | None = None
        self.revision += 1

    @property
    def pictures(self) -> int:
        """How many pictures were taken."""
        return self._watched.pictures

    @property
    def changes(self) -> tuple[Change, ...]:
        """The numbers that can be written. The speed is that of pictures on a moving belt alone."""
        if not isinstance(self.finding, BeltFinding):
            return ()
        others = tuple(each for each in self.finding.changes if each.key != SPEED)
        speed = self.speed_mm_s
        return others if speed is None else (others[0], Change(SPEED, speed), *others[1:])

    def take(self, asked: PictureAsked) -> None:
        """Take a picture, and measure by all of them.

        Raises:
            NotDone: there is no such gate, or there are too many pictures.
            BadInput: the line hands no picture over.
        """
        if asked.bin and asked.bin not in [gate.bin for gate in self.line.config.gates]:
            raise NotDone(400, _("There is no such gate."))
        with self._lock:
            if self._watched.pictures >= MOST_PICTURES:
                raise NotDone(409, _("There are enough pictures; begin anew."))
            still = self._ask(self._state, PICTURE_SECONDS)
            if asked.ruler != self.asked.ruler or self._is_restarted(still):
                self._begin(asked)
            self.asked, self.written = asked, None
            self._add(still)
            self.finding = conclude(self.line.config, self._watched, asked.bin or None, None)
            self.speed_mm_s = _speed(self._on_the_way)
            self.revision += 1

    def _is_restarted(self, still: Still) -> bool:
        before = self._watched.end_reading_mm
        return before is not None and still.encoder_mm < before - RESTARTED_MM

    def _add(self, still: Still) -> None:
        watched = self._watched
        watched.pictures += 1
        watched.end_at, watched.end_reading_mm = still.captured_at, still.encoder_mm
        boards = boards_printed(self.asked.ruler)
        seen = look(still.pixels, still.captured_at, still.encoder_mm, boards)
        watched.add(seen)
        self.last_flaw = seen.flaw if isinstance(seen, Unusable) else None
        if isinstance(seen, Unusable):
            if watched.blank is None and seen.flaw in UNCLEAR:
                watched.blank = cv2.cvtColor(still.pixels, cv2.COLOR_RGB2GRAY)
            return
        status = read_status(self._state)
        moves = status is None or abs(status.speed_mm_s) >= STILL_MM_S
        if moves and watched.sightings[-1] is seen:
            self._on_the_way.append(seen)

    def write(self, asked: WriteAsked, visitor: Visitor, now: float) -> None:
        """Write what was measured into the configuration, and keep what was there.

        Raises:
            NotDone: it is not what the visitor saw, or does not fit the line.
            EwasteError: it cannot be written; nothing has changed.
        """
        with self._lock:
            if asked.revision != self.revision:
                raise NotDone(409, _("This has changed meanwhile; look at it again."))
            obstacle = self.obstacle
            if obstacle or not isinstance(self.finding, BeltFinding) or self.line.file is None:
                raise NotDone(409, obstacle or _("Nothing is measured yet."))
            require_fit(self.finding)
            file, config = self.line.file, self.line.config
            text = read_toml_text(file)
            if [gate.bin for gate in read_config(file).gates] != [g.bin for g in config.gates]:
                raise NotDone(
                    409, _("The gates in the configuration have changed; start the line anew.")
                )
            kept = write_text(file, new_text(text, self.changes, config.gate_specs, str(file)))
            self.written = Written(visitor.name, now, "" if kept is None else str(kept))
            self.revision += 1
            log_action(visitor, f"wrote the belt set-up into {file}: {self._in_words(config)}")

    def _in_words(self, config: Config) -> str:
        """What was changed, for the log."""
        return ", ".join(f"{name} {old} -> {new}" for name, old, new in self.numbers(config))

    def numbers(self, config: Config) -> list[tuple[str, float, float]]:
        """Each key that would change, its number before, and after."""
        if not isinstance(self.finding, BeltFinding):
            return []
        after = {change.name: change.value for change in self.changes}
        before = {name: old for name, old, _new in changed(self.finding, config)}
        before.setdefault(".".join(SPEED), config.belt.speed_mm_s)
        return [(name, before[name], value) for name, value in after.items()]

    @property
    def obstacle(self) -> str:
        """Why nothing can be written, one line for the visitor; empty: it can."""
        found = self.finding
        if not isinstance(found, BeltFinding):
            return _("Nothing is measured yet.")
        if direction_of(found.angle) is not Direction.RIGHT:
            return _(
                "The line needs a belt that moves to the right in the picture: turn the camera, or "
                "the sheet, if its arrow does not point along the belt."
            )
        if found.gate is not None and found.gate.distance_mm < NEAREST_GATE_MM:
            return _("The gate line is before the middle of the view, and a gate lies behind it.")
        if self.line.file is None:
            return _("The line has no configuration file; enter the numbers by hand.")
        return ""


def _speed(sightings: list[SheetSighting]) -> float | None:
    """The speed of the belt by pictures that were taken while it moved; None: not by these."""
    measured = measure(sightings) if len(sightings) > 1 else None
    if not isinstance(measured, MeasuredView) or measured.motion is None:
        return None
    return round(measured.motion.speed_mm_s, 1)


def add(app: Any, state_dir: Path, line: LineConfig) -> None:
    """Add the routes of the tab to the FastAPI `app`.

    Args:
        app: the FastAPI application.
        state_dir: the state folder of the line.
        line: its configuration.
    """
    from fastapi import Request, Response
    from fastapi.responses import JSONResponse

    setup = BeltSetup(state_dir, line)
    # One at a time: a picture takes the processor that the line needs.
    pool = ThreadPoolExecutor(1, thread_name_prefix="belt")

    def parts(visitor: Visitor) -> JSONResponse:
        return JSONResponse(belt_parts(setup, visitor), headers={"Cache-Control": "no-store"})

    @app.get("/belt.json")
    def show(request: Request) -> JSONResponse:
        return parts(visitor_of(request))

    for paper in Paper:
        app.get(f"/sheet-{paper.value}.pdf")(_sheet_of(paper))

    @app.post(PICTURE)
    async def take(request: Request) -> Response:
        """Take a picture: `{"ruler": 100, "bin": ""}`."""
        asked = await posted(request, PictureAsked, MOST_BYTES)
        await in_thread(pool, lambda: _done(lambda: setup.take(asked)))
        return parts(visitor_of(request))

    @app.post(FORGET)
    async def forget(request: Request) -> Response:
        """Begin anew: `{}`."""
        await posted(request, NothingMore, MOST_BYTES)
        await in_thread(pool, setup.forget)
        return parts(visitor_of(request))

    @app.post(WRITE)
    async def write(request: Request) -> Response:
        """Write what was measured: `{"revision": 3}`."""
        asked, visitor = await posted(request, WriteAsked, MOST_BYTES), visitor_of(request)
        await in_thread(pool, lambda: _done(lambda: setup.write(asked, visitor, time.time())))
        return parts(visitor)


def _sheet_of(paper: Paper) -> Callable[[], Any]:
    def sheet() -> Any:
        from fastapi import Response

        name = f'attachment; filename="sheet-{paper.value}.pdf"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-cache"}
        return Response(to_pdf(SHEETS[paper]), media_type="application/pdf", headers=headers)

    return sheet


def _done(action: Callable[[], None]) -> None:
    """Do it; what cannot be done is answered as such.

    Raises:
        NotDone: it cannot.
    """
    try:
        action()
    except EwasteError as error:
        raise NotDone(409, sentence(str(error))) from None


def belt_parts(setup: BeltSetup, visitor: Visitor) -> dict[str, str]:
    """Render the tab for a visitor: the name of its part and its HTML."""
    found = setup.finding if isinstance(setup.finding, BeltFinding) else None
    flaw = setup.finding.flaw if isinstance(setup.finding, Unusable) else setup.last_flaw
    return {
        "belt": render(
            "belt.html",
            offered=may_administer(visitor),
            papers=[(paper.value, paper.name.capitalize()) for paper in Paper],
            setup=setup,
            found=found,
            flaw="" if flaw is None else _(FLAWS[flaw]),
            direction="" if found is None else _(DIRECTIONS[direction_of(found.angle)]),
            grades={
                aspect.name: (_(GRADES[each.grade]), each.grade is Grade.GOOD, _(REMEDIES[aspect]))
                for aspect, each in (found.grades.items() if found else ())
            },
            changes=setup.numbers(setup.line.config),
            corners=CORNERS,
            gates=[gate.bin for gate in setup.line.config.gates],
        )
    }
