"""Labels: which names may be one, when two are the same, and which of them are hazards."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

UNKNOWN = "unknown"
"""The label of what is like nothing known; no class may be called so."""
MANUAL = "manual"
"""The bin at the end of the belt; no class may be called so."""
DEFAULT_HAZARDS = frozenset({"Battery"})
LONGEST = 200
"""Bytes of UTF-8: a label names folders, topics and files, whose names end at 255."""


def normalized(name: str) -> str:
    """A name in Unicode's composed form (NFC), so that accents compare wherever they were typed.

    A Mac writes file names decomposed (NFD): what looks the same would be two labels.
    """
    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """What two names share that a person takes for one: case, spaces and plural do not matter."""
    folded = normalized(normalized(name).casefold())
    words = [_singular(word) for word in re.split(r"[\W_]+", folded) if word]
    return "".join(words) or folded


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        return word[:-1]
    return word


def shown(name: str) -> str:
    """A name for people: bytes that are no UTF-8 and control characters as escapes."""
    return "".join(each if each.isprintable() else _escaped(each) for each in name)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file name, as Python carries it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def label_problem(label: str) -> str | None:
    """What keeps a name from being a label, in a few words; None: nothing does."""
    if not label.strip():
        return "a label must not be empty"
    if any("\udc80" <= each <= "\udcff" for each in label):
        return "a label must be UTF-8"
    if label != label.strip():
        return "a label must have no space around it"
    odd = [each for each in label if not each.isprintable()]
    if odd:
        names = sorted({unicodedata.name(each, f"character U+{ord(each):04X}") for each in odd})
        return f"a label must be printable, without {' and '.join(names[:3])}"
    if len(label.encode()) > LONGEST:
        return f"a label must not be longer than {LONGEST} bytes"
    if label.casefold() in (UNKNOWN, MANUAL):
        return f"{label.casefold()} is what items without a label are called"
    return None


def labels_problem(labels: Iterable[str]) -> str | None:
    """What keeps names from being the labels of one model, naming the first; None: nothing does."""
    seen: dict[str, str] = {}
    for label in labels:
        problem = label_problem(label)
        if problem is not None:
            return f"the label '{shown(label)}': {problem}"
        other = seen.setdefault(normalized(normalized(label).casefold()), label)
        if other != label:
            return f"the labels '{other}' and '{label}' differ only in case or typing of accents"
    return None


def find_label(name: str, labels: Sequence[str]) -> str | None:
    """The label of this name, however its accents are typed."""
    return next((label for label in labels if normalized(label) == normalized(name)), None)


def near_labels(name: str, labels: Sequence[str]) -> list[str]:
    """Labels that a person may have meant: the same but for case, spaces or plural."""
    return [label for label in labels if alike(label) == alike(name)]


def also_called(label: str, others: Sequence[str]) -> str:
    """A remark on a label that others lack but call nearly so, to end a message with."""
    near = [other for other in near_labels(label, others) if other != label]
    return f" (but {' and '.join(near)}: write it the same way)" if near else ""


def default_hazards(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels that are a hazard unless somebody says otherwise, whatever their case or number.

    A set that calls its batteries `battery` or `BATTERIES` must not lose the rule in silence.
    """
    known = {alike(hazard) for hazard in DEFAULT_HAZARDS}
    return tuple(label for label in labels if alike(label) in known)


def hazard_notes(labels: Sequence[str], hazards: Sequence[str]) -> list[str]:
    """What the user must know about the hazards of a model, a line each."""
    notes = [
        f"the class {label} is taken for the hazard {' and '.join(sorted(DEFAULT_HAZARDS))}"
        for label in hazards
        if label not in DEFAULT_HAZARDS and label in default_hazards(labels)
    ]
    naming = [label for label in labels if label not in hazards and names_a_hazard(label)]
    if naming:
        notes.append(
            f"warning: {', '.join(naming)}: by the name a hazard, but not treated as one; "
            "train/calibrate.py --hazard LABEL names hazards"
        )
    if not hazards:
        notes.append(
            f"warning: none of the classes ({', '.join(labels)}) is a hazard: nothing keeps a "
            "battery out of the other bins; train/calibrate.py --hazard LABEL names one"
        )
    return notes


def names_a_hazard(label: str) -> bool:
    """Whether a person takes the name for that of a hazard, such as `Laptop batteries`."""
    folded = alike(label)
    return any(alike(hazard) in folded for hazard in DEFAULT_HAZARDS)
