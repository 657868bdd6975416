"""Teaching: from a few crops of one class to the next generation, or the reason why not."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import numpy as np

from edge.bundle.bundle import Bundle
from edge.bundle.golden import golden_answers
from edge.decision.decide import DecisionRules, decide
from edge.errors import BadInput, Refused
from edge.inference.classifier import Classifier, Prediction, softmax
from edge.inference.ood import unit
from edge.labels import find_label, label_problem
from edge.learned.adapted import (
    AdaptedClassifier,
    Adapter,
    check_golden,
    check_new,
    pack_rows,
    read_adapter,
)
from edge.learned.crops import Crop, Reviewed, pack_crops, unpack_crops
from edge.learned.guard import (
    Asked,
    check_enough,
    check_learned,
    check_old,
    distinct,
    nearer_known,
    odd_crops,
    recalls,
)
from edge.learned.known import KnownSpace, known_space
from edge.learned.manifest import (
    ADAPTER,
    CROPS,
    MOST_CLASSES,
    LearnedManifest,
    TaughtClass,
    TaughtFigures,
)
from edge.learned.recognition import KnownItems, Learned, Lesson, Recognition, learn_class
from edge.learned.store import Generation
from edge.photos.reading import decode_photo

THRESHOLD = 0.5
"""Least confidence for a taught label: its odds are calibrated to be even where that is right."""

RulesOf = Callable[[LearnedManifest | None, Adapter | None], DecisionRules]
"""The rules of the line, with what was learned."""


@dataclass(frozen=True)
class Base:
    """What a class is taught beside.

    Attributes:
        bundle: it, verified.
        classifier: its model, loaded.
        generation: what was learned beside it before, with its crops; None: nothing.
        rules_of: the rules of the line, with what was learned.
    """

    bundle: Bundle
    classifier: Classifier
    generation: Generation | None
    rules_of: RulesOf


@dataclass(frozen=True)
class NewClass:
    """A class to teach.

    Attributes:
        label: its name.
        bin: where its items go; None: to `manual`.
        hazard: whether it must never reach another label's bin.
        crops: pictures of it.
        by: who teaches.
    """

    label: str
    bin: str | None
    hazard: bool
    crops: Sequence[Crop]
    by: str = ""


@dataclass(frozen=True)
class Taught:
    """The next generation, not yet in any store.

    Attributes:
        manifest: what it is.
        contents: its files.
        left_out: crops that are more like known items than like the others, and were not learned.
        asked: how many items of old classes were asked again.
        recalls: old class -> the share of these that is recognized before, and after.
    """

    manifest: LearnedManifest
    contents: dict[str, bytes]
    left_out: tuple[str, ...]
    asked: int
    recalls: Mapping[str, tuple[float, float]]


def teach(new: NewClass, base: Base, reviewed: Sequence[Reviewed], now: float) -> Taught:
    """Teach a class, and see that no old one suffers.

    Args:
        new: what to teach.
        base: what it is taught beside.
        reviewed: items of old classes, to ask again.
        now: unix seconds.

    Raises:
        BadInput: the label cannot be one.
        Refused: the crops are not fit to teach, or an old class would suffer; the message says why.
    """
    began = time.perf_counter()
    before = None if base.generation is None else base.generation.manifest
    check_label(new.label, base.bundle.labels, before)
    check_enough(len(new.crops))
    golden = golden_answers(base.bundle, base.classifier)
    space, temperature = known_space(base.bundle, *golden), _temperature(base, before)
    labels = (*base.bundle.labels, *(() if before is None else before.labels))
    of_taught = _answered(_taught_crops(base), base.classifier, labels)
    beside = _with_taught(space, [answer for _, answer in of_taught])
    known = _recognized(base.bundle, space, *golden, temperature)
    crops, learned, left_out = _learned(new, base, beside, known)
    check_learned(learned, new.label)
    adapter = Adapter(space, (*_old_recognitions(base, space), learned.recognition))
    known_taken = check_golden(base.bundle, adapter, *golden, temperature)
    made = _class_of(new, crops, learned, known_taken, now)
    manifest = _manifest_of(new, base, before, made, now)
    items = [*of_taught, *_answered(reviewed, base.classifier, labels)]
    asked = _asked_again(base, adapter, manifest, items, temperature)
    rules = base.rules_of(manifest, adapter)
    check_old(asked, tuple(rules.hazard_thresholds), rules.bins)
    kept = [] if base.generation is None else unpack_crops(base.generation)
    files = [jpeg for each in kept for jpeg in each] + [each.jpeg for each in crops]
    contents = {
        ADAPTER: pack_rows([each.direction for each in adapter.recognitions]),
        CROPS: pack_crops(files),
    }
    made = _with_seconds(made, time.perf_counter() - began)
    manifest = manifest.model_copy(update={"classes": (*manifest.classes[:-1], made)})
    return Taught(manifest, contents, tuple(left_out), len(asked), recalls(asked))


def check_label(label: str, known: Sequence[str], before: LearnedManifest | None) -> None:
    """See that a class of this name can be taught.

    Raises:
        BadInput: no class may be called so, or there are too many.
        Refused: there is one of this name already.
    """
    if problem := label_problem(label):
        raise BadInput(problem)
    taught = () if before is None else before.labels
    if find_label(label, taught) is not None:
        raise Refused(
            f"{label}: was taught already; to teach it anew type: ewaste-edge learned remove"
        )
    check_new(label, (*known, *taught))
    if len(taught) >= MOST_CLASSES:
        raise BadInput(f"{len(taught)} classes are taught already; train them into a bundle")


def _temperature(base: Base, before: LearnedManifest | None) -> float:
    site = None if before is None else before.calibration
    return base.classifier.temperature if site is None else site.temperature


def _old_recognitions(base: Base, space: KnownSpace) -> tuple[Recognition, ...]:
    """What recognizes the classes that were taught before."""
    generation = base.generation
    if generation is None or not generation.manifest.classes:
        return ()
    return read_adapter(generation, space).recognitions


def _with_taught(space: KnownSpace, taught: Sequence[Prediction]) -> KnownSpace:
    """The space where the crops of the classes that were taught before are known too."""
    if not taught:
        return space
    placed = space.place(np.stack([each.embedding for each in taught]))
    return replace(space, references=np.concatenate([space.references, placed]))


def _recognized(
    bundle: Bundle,
    space: KnownSpace,
    logits: np.ndarray,
    embeddings: np.ndarray,
    temperature: float,
) -> KnownItems:
    """The golden inputs that the bundle recognizes, from its answers to all of them."""
    asked = space.in_distribution(logits, embeddings)
    logits, embeddings = logits[asked], embeddings[asked]
    hazards = [bundle.labels.index(each) for each in bundle.manifest.hazards]
    return KnownItems(
        placed=space.place(embeddings),
        familiarity=space.familiarity(logits, embeddings),
        likely=np.log(softmax(logits, temperature).max(axis=1)),
        hazardous=np.isin(logits.argmax(axis=1), hazards),
    )


def _learned(
    new: NewClass, base: Base, space: KnownSpace, known: KnownItems
) -> tuple[list[Crop], Learned, list[str]]:
    """The crops that teach, what they teach, and the names of those that were left out."""
    names = [each.name for each in new.crops]
    answers = [base.classifier.predict(each.pixels) for each in new.crops]
    logits = np.stack([each.logits for each in answers])
    embeddings = np.stack([each.embedding for each in answers])
    placed, familiarity = space.place(embeddings), space.familiarity(logits, embeddings)
    directions = unit(placed)
    kept = distinct(names, directions, [each.pixels for each in new.crops])
    rules = base.rules_of(None, None)
    believed = [decide([answers[each]], rules).label for each in kept]
    nearer = nearer_known(directions[kept], unit(space.references))
    odd = odd_crops([names[each] for each in kept], believed, familiarity[kept], nearer)
    left = [each for index, each in enumerate(kept) if index not in odd]
    learned = learn_class(Lesson(placed[left], familiarity[left], space, known))
    return [new.crops[each] for each in left], learned, [names[kept[each]] for each in odd]


def _class_of(
    new: NewClass, crops: Sequence[Crop], learned: Learned, known_taken: float, now: float
) -> TaughtClass:
    recognition = learned.recognition
    return TaughtClass(
        label=new.label,
        bin=new.bin,
        hazard=new.hazard,
        familiar=recognition.familiar,
        slope=recognition.slope,
        offset=recognition.offset,
        steepness=recognition.steepness,
        least=recognition.least,
        threshold=THRESHOLD,
        crops=tuple(each.source for each in crops),
        figures=TaughtFigures(
            recall=float(learned.recalled.mean()),
            known_taken=known_taken,
            seconds=0.0,
        ),
        by=new.by,
        taught_at=datetime.fromtimestamp(now, timezone.utc),
    )


def _with_seconds(made: TaughtClass, seconds: float) -> TaughtClass:
    """The class, with what teaching took in all."""
    figures = made.figures.model_copy(update={"seconds": seconds})
    return made.model_copy(update={"figures": figures})


def _manifest_of(
    new: NewClass, base: Base, before: LearnedManifest | None, made: TaughtClass, now: float
) -> LearnedManifest:
    """The manifest of the next generation, without digests: what is learned already stays."""
    return LearnedManifest(
        base=base.bundle.digest,
        base_name=base.bundle.manifest.name,
        created=datetime.fromtimestamp(now, timezone.utc),
        by=new.by,
        classes=(*(() if before is None else before.classes), made),
        calibration=None if before is None else before.calibration,
    )


def _asked_again(
    base: Base,
    adapter: Adapter,
    manifest: LearnedManifest,
    items: Sequence[tuple[Reviewed, Prediction]],
    temperature: float,
) -> list[Asked]:
    """What was decided on items of old classes, and what would be."""
    before = None if base.generation is None else base.generation.manifest
    labels = (*base.bundle.labels, *manifest.labels)
    earlier = None
    if before is not None and before.classes:
        earlier = Adapter(adapter.space, adapter.recognitions[:-1])
    old = AdaptedClassifier(base.classifier, labels[:-1], temperature, earlier)
    after = AdaptedClassifier(base.classifier, labels, temperature, adapter)
    old_rules, rules = base.rules_of(before, earlier), base.rules_of(manifest, adapter)
    asked = []
    for each, answer in items:
        decided = decide([old.adapted(answer)], old_rules), decide([after.adapted(answer)], rules)
        asked.append(Asked(each.name, each.label, *decided))
    return asked


def _answered(
    items: Sequence[Reviewed], classifier: Classifier, labels: Sequence[str]
) -> list[tuple[Reviewed, Prediction]]:
    """Items of these labels with the model's answers to them."""
    found = []
    for each in items:
        if each.label not in labels:
            continue
        try:
            pixels = decode_photo(each.jpeg, ("JPEG",))
        except BadInput:
            continue  # who reviewed it saw it; a damaged crop asks nothing
        found.append((each, classifier.predict(pixels)))
    return found


def _taught_crops(base: Base) -> list[Reviewed]:
    """The crops of the classes that were taught before."""
    if base.generation is None:
        return []
    classes = base.generation.manifest.classes
    return [
        Reviewed(source.name, each.label, jpeg)
        for each, jpegs in zip(classes, unpack_crops(base.generation), strict=True)
        for source, jpeg in zip(each.crops, jpegs, strict=True)
    ]
