"""A line with a small real bundle, whose items are drawn, recorded, and reviewed."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edge.bundle.bundle import load_bundle
from edge.config import Config, decision_rules, proved_bundle
from edge.labels import UNKNOWN
from edge.learned.preparing import LearningBoard
from edge.learned.store import Generation
from edge.learned.teaching import Base
from edge.records.review import DOUBTFUL_SAMPLE, SAMPLE, UNSURE
from edge.records.reviews import ReviewStore
from edge.records.store import RECORDS_NAME, Store
from edge.synthetic.items import draw_item
from tests.support.bundles import reseal
from tests.support.records import RECORD
from tests.support.striped import draw_striped

NOW = 1_800_000_000.0
EACH = 30
SEEN = 16
"""The tiny model knows so many drawn items of a class."""
RIBBON = "Ribbon"


def crop(kind: str, seed: int) -> bytes:
    """The picture of a drawn item as JPEG; a ribbon is like nothing that the bundle knows."""
    if kind == RIBBON:
        pixels = draw_striped(seed)
    else:
        item = Image.fromarray(draw_item(kind, seed % SEEN, 96))
        gray = Image.new("RGBA", item.size, (170 + seed % EACH,) * 3)
        pixels = np.array(Image.alpha_composite(gray, item).convert("RGB"))
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


class Site:
    """The state folder of a line, whose bundle takes itself for far less sure than it is."""

    def __init__(self, folder: Path, tiny: Path) -> None:
        self.bundle = Path(shutil.copytree(tiny, folder / "bundle"))
        reseal(self.bundle, temperature=6.0, threshold=0.7)
        self.state, self.loaded = folder / "state", 0
        self.state.mkdir()
        self.config = Config.model_validate(
            {"state": self.state, "classifier": {"bundle": self.bundle}}
        )
        self.known = load_bundle(self.bundle)

    def load(self, current: Generation | None) -> Base:
        self.loaded += 1
        bundle, classifier = proved_bundle(self.config)
        return Base(bundle, classifier, current, partial(decision_rules, self.config, bundle))

    @property
    def board(self) -> LearningBoard:
        return LearningBoard(self.state, self.state / "learned", self.known, self.load)

    def record(self, drawn: str, count: int, first: int = 0, **changes: object) -> list[str]:
        """Record drawn items of this bundle; returns their ids."""
        own = {"bundle": self.known.digest, "decided_at": NOW - 9000, **changes}
        rows = [
            replace(RECORD, item_id=f"{drawn} {n}", crop=crop(drawn, 5000 + n), **own)
            for n in range(first, first + count)
        ]
        with Store(self.state / RECORDS_NAME) as store:
            store.append(rows)
        return [each.item_id for each in rows]

    def answer(self, items: list[str], label: str, at: float = NOW - 100) -> None:
        with ReviewStore(self.state / RECORDS_NAME) as reviews:
            for item in items:
                reviews.give(item, label=label, by="anna", at=at)

    def review_the_draw(self) -> None:
        """Let 120 items be drawn at random and reviewed, half of them in doubt."""
        for label in self.known.labels:
            doubt = {"label": UNKNOWN, "review": DOUBTFUL_SAMPLE}
            self.answer(self.record(label, EACH // 2, label=label, review=SAMPLE), label)
            self.answer(self.record(label, EACH // 2, EACH // 2, **doubt), label)

    def name(self, label: str, count: int, first: int = 0, drawn: str = RIBBON) -> None:
        """Let items that look like nothing known be named."""
        items = self.record(drawn, count, first, label=UNKNOWN, review=UNSURE)
        self.answer(items, label)
