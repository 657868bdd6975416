"""`ewaste-edge learn`: prepare proposals from what persons reviewed; nothing is put into use."""

import json
import logging
import time
from typing import TYPE_CHECKING

from edge.commands.options import AsJson, ConfigFile, StateDir
from edge.commands.settings import read_settings
from edge.errors import BadInput
from edge.terminal import out, safe_line

if TYPE_CHECKING:
    from edge.learned.preparing import Note

log = logging.getLogger(__name__)
NICENESS = 19
"""How far it stands back for the line: as far as can be."""


def learn(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """Prepare proposals from the reviews of a line; a person accepts them on the page.

    Nothing is put into use. Exit code 0: also if nothing is due.
    """
    from functools import partial

    from edge.bundle.bundle import load_bundle
    from edge.config import decision_rules, proved_bundle
    from edge.learned.preparing import LearningBoard, prepare
    from edge.learned.store import Generation
    from edge.learned.teaching import Base

    settings = read_settings(config, state=state)

    def load(current: Generation | None) -> Base:
        proved, classifier = proved_bundle(settings, NICENESS)
        return Base(proved, classifier, current, partial(decision_rules, settings, proved))

    bundle = load_bundle(settings.bundle, settings.trust.keys)
    board = LearningBoard(settings.state_folder, settings.learned, bundle, load)
    if not board.records.exists():
        raise BadInput(f"{board.records}: no records yet; they appear when the line has run")
    notes = prepare(board, time.time())
    if as_json:
        out.print(json.dumps([_row(each) for each in notes]))
        return
    for each in notes:
        out.print(safe_line(_line(each)))
    if not notes:
        out.print("nothing new to propose: review items on the page, and name new things")


def _line(note: "Note") -> str:
    from edge.learned.preparing import LearnOutcome

    what = f"new class {note.label}" if note.label else "recalibration"
    if note.outcome is LearnOutcome.WAITS:
        return f"{what}: waits: {note.text}"
    how = "proposed" if note.outcome is LearnOutcome.PROPOSED else "the guard refuses it"
    return f"proposal {note.number}: {what}: {how}: {note.text}"


def _row(note: "Note") -> dict[str, object]:
    return {
        "kind": note.kind.value,
        "label": note.label,
        "outcome": note.outcome.value,
        "number": note.number or None,
        "text": note.text,
    }
