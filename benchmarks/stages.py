"""The stages from camera to verdict, each by itself, on a frame of the simulated belt."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.marked import Way, way_of
from edge.belt.detector import Detection, Detector
from edge.belt.geometry import Geometry
from edge.belt.view import crop
from edge.bundle.bundle import Bundle
from edge.config import Config, decision_rules
from edge.decision.decide import decide
from edge.errors import EwasteError
from edge.inference.classifier import ANSWER, Classifier
from edge.inference.preprocess import model_input
from edge.simulator.layout import place_items
from edge.simulator.pieces import drawn_pieces
from edge.simulator.scene import Scene

VIEW_MM = 800.0
"""Length of the belt in view, whatever the size of the frame."""
PIECES, GAP_MM, FIRST_MM, STEP_MM, FRAMES = 6, (60.0, 120.0), 400.0, 25.0, 16
JPEG_QUALITY = 90
INFERENCE = "inference"
"""The bare call of the runtime, which all ratios are to."""


@dataclass(frozen=True)
class Belt:
    """Some frames of a belt with items, and one item on them.

    Attributes:
        geometry: what the frames show.
        frames: uint8 RGB [h, w, 3], and where the belt was, mm.
        frame: of these the one on which the item lies whole.
        item: where it lies.
        jpeg: the frame as a camera sends it.
    """

    geometry: Geometry
    frames: tuple[tuple[np.ndarray, float], ...]
    frame: np.ndarray
    item: Detection
    jpeg: np.ndarray


def film_belt(width: int, height: int, picture: np.ndarray | None = None) -> Belt:
    """Frames of a simulated belt.

    Args:
        width: of a frame, px.
        height: of a frame, px.
        picture: a photo, uint8 RGB [h, w, 3], to lay over the item that is looked at; None: it is
            as it was drawn.

    Raises:
        EwasteError: no item lies whole on any of them.
    """
    geometry = Geometry(width, height, VIEW_MM / width)
    placed = place_items(drawn_pieces(0, geometry), PIECES, 0, geometry, gap_mm=GAP_MM)
    scene, detector = Scene(placed, geometry, 0), Detector(geometry)
    places = [FIRST_MM + STEP_MM * number for number in range(FRAMES)]
    frames = tuple((scene.render(at_mm), at_mm) for at_mm in places)
    for frame, at_mm in frames:
        whole = [each for each in detector.detect(frame, at_mm) if each.whole]
    if not whole:
        raise EwasteError(f"--frame {width}x{height}: no item fits into it; take a larger frame")
    if picture is not None:
        box = whole[0].box
        frame[box.top : box.bottom, box.left : box.right] = cv2.resize(
            picture, (box.width, box.height), interpolation=cv2.INTER_AREA
        )
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), quality)
    return Belt(geometry, frames, frame, whole[0], jpeg)


def decoded(jpeg: np.ndarray) -> np.ndarray:
    """A JPEG as uint8 RGB [h, w, 3], as `edge.cameras` decodes it."""
    return cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def bare_call(classifier: Classifier, pixels: np.ndarray) -> Callable[[], object]:
    """The same inference by the runtime alone: in, compute, logits and embedding out.

    By the interpreter that the classifier has: another one would lie elsewhere in memory, which
    alone makes a few percent.
    """
    batch = np.ascontiguousarray(pixels[np.newaxis])
    predictor = classifier._predictor
    if not hasattr(predictor, "_interpreter"):
        return lambda: predictor.run(batch, ANSWER)
    interpreter = predictor._interpreter
    given, *places = predictor._place, *(predictor._places[name] for name in ANSWER)
    batch = batch.astype(predictor.input.kind)

    def call() -> list[np.ndarray]:
        interpreter.set_tensor(given, batch)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in places]

    return call


def ways_of(bundle: Bundle, classifier: Classifier, belts: list[Belt]) -> dict[str, Way]:
    """The ways to be timed, by name of the stage.

    Args:
        bundle: it.
        classifier: one of its variants, in some runtime.
        belts: one for each size of frame.
    """
    rules = decision_rules(Config(), bundle)
    view = crop(belts[0].frame, belts[0].item.box)
    pixels = model_input(view, classifier.size)
    stored, prediction = classifier.run(pixels), classifier.predict_input(pixels)
    logits, embedding = prediction.logits[np.newaxis], prediction.embedding[np.newaxis]
    actions: dict[str, Callable[[], object]] = {
        INFERENCE: bare_call(classifier, pixels),
        "post-processing": lambda: classifier._prediction(stored),
    }
    if bundle.detector is not None:
        score = bundle.detector.score
        actions["out of distribution"] = lambda: score(logits, embedding)
    actions["decide"] = lambda: decide([prediction], rules)
    for belt in belts:
        actions |= _of_frame(belt, classifier, lambda each: decide([each], rules))
    return {name: way_of(action) for name, action in actions.items()}


def _of_frame(
    belt: Belt, classifier: Classifier, decided: Callable
) -> dict[str, Callable[[], object]]:
    """What depends on the size of the frame."""
    size, box, frame = classifier.size, belt.item.box, belt.frame
    view, detector = crop(frame, box), Detector(belt.geometry)
    turn = 0

    def detect() -> object:
        nonlocal turn
        turn += 1
        return detector.detect(*belt.frames[turn % len(belt.frames)])

    def whole() -> object:
        nonlocal turn
        turn += 1
        pixels = decoded(belt.jpeg)
        detector.detect(pixels, belt.frames[turn % len(belt.frames)][1])
        return decided(classifier.predict(crop(pixels, box)))

    named = f"{belt.geometry.width_px}x{belt.geometry.height_px}"
    return {
        f"decode {named}": lambda: decoded(belt.jpeg),
        f"detect {named}": detect,
        f"crop {named}": lambda: crop(frame, box),
        f"resize {named}": lambda: model_input(view, size),
        f"preprocess {named}": lambda: model_input(frame, size),
        f"our classifier {named}": lambda: classifier.predict(view),
        f"whole {named}": whole,
    }
