"""What the line has written in English, in the language of the visitor.

The line knows no languages: it writes why an item went where it went, and what is wrong, as a
sentence into its records and its status. Here its sentences are found again by their forms. One
that has no form here is shown as the line wrote it.
"""

import functools
import re
from collections.abc import Callable

from edge.labels import MANUAL, UNKNOWN
from edge.language import Language
from edge.panel.formats import decimal, percent
from edge.panel.languages import N_, NP_, _, pgettext, spoken
from edge.verdict import Reason

LONGEST = 2000
"""A longer text is shown as it is, characters."""
SHARE = r"(\d{1,3}(?:\.\d{1,20})?)%"
NUMBER = r"(-?\d{1,15}(?:\.\d{1,20})?)"
KINDS = {"share": SHARE, "threshold": SHARE, "count": r"(\d{1,15})", "number": NUMBER}
"""What a place of these names holds; any other holds a few words."""
WORDS = r"(.{1,250}?)"

FORMS = (
    N_("{label} {share} over 1 view"),
    N_("{label} {share} over {count} views"),
    N_("{label} {share} by its size of {number} mm, {other_label} by its looks over 1 view"),
    N_("{label} {share} by its size of {number} mm, {other_label} by its looks over {count} views"),
    N_("{label} {share} has no bin of its own"),
    N_(
        "{label} {share} by its size of {number} mm, {other_label} by its looks has no bin of its "
        "own"
    ),
    N_(
        "{label} {share} by its size of {number} mm, {other_label} by its looks, but may be "
        "{hazards}"
    ),
    N_("{label} {share}, but may be {hazards}"),
    N_("unsure: {label} {share} is under its threshold {threshold}"),
    N_("out of distribution: {label} {share}, but its score is not a number"),
    N_("out of distribution: {label} {share}, but its score {score} is under {least}"),
    N_("no whole view of the item"),
    N_("the model's answer is not a number"),
    N_("touches another item"),
    N_("may be more than one"),
    N_("the model failed at it"),
    N_("counted before the restart"),
    N_("too late to be classified"),
    N_("too late for {bin}"),
    N_("too near an item for another bin for {bin}"),
    N_("not seen from its beginning for {bin}"),
    N_("without a gate for {bin}"),
    N_("the gate of {bin} was closed"),
    N_("no gate is wired"),
    N_("sorting is paused"),
    N_("everything is sent to manual"),
    N_("the line ended"),
    N_("the camera failed"),
    N_("the model has failed {count} times"),
    N_("the live view has ended"),
    N_("the camera cannot see whether the belt moves"),
    N_(
        "the camera cannot see whether the belt moves: check light and focus; taken to run at "
        "{number} mm/s"
    ),
    # why an item was chosen for review
    N_("unsure"),
    N_("near the threshold"),
    N_("suspected"),
    N_("random share"),
    # what cannot be done
    N_("{path}: no records yet; they appear when the line has run"),
    N_("{path}: is damaged; move it away"),
    N_("no item with a picture went to a bin in this time"),
    N_("records have just been deleted; try again"),
    N_("more than {amount} items; choose a shorter period"),
    N_("{what} {text}: no date; write it as {example}"),
    N_("from {first} to {last}: ends before it starts"),
    N_("a period of {number} days; the longest is {count}"),
    N_("this answer does not stand any more; nothing was undone"),
    N_("there is no such item any more, or no picture of it"),
    N_("test pieces are on their way already; end or cancel that first"),
    N_("the line was paused or sent everything to manual; cancel this test"),
    N_("this test was ended or cancelled before"),
    N_("{count} items of each bin; choose 1 to {most}"),
    N_("a period of {number} hours that ends a minute ago or earlier; choose up to {count} hours"),
    N_("audit {audit} of this time has {count} items to judge; judge them first"),
    N_("{amount} items of all bins; at most {most}: choose fewer"),
    N_("classes went to other bins in this time than now; choose a time since the change"),
    N_("{count} pieces; choose 1 to {most}"),
    N_("not within {count} hours of the beginning; cancel this test"),
    N_("{path}: records of version {count}; start the line once, which brings them up to date"),
    N_("{path}: cannot be written; check the folder and the disk"),
    N_("choose hours or days"),
    N_("This file is not a readable picture; choose a JPEG, PNG, WebP or BMP."),
    N_("This file is larger than the maximum of {count} MB; choose a smaller one."),
    N_(
        "This picture has {width} x {height} pixels; at most {count} megapixels of this kind are "
        "tried; make it smaller."
    ),
    N_("Too many pictures at once; try again in a moment."),
)
"""The sentences; the longer form of two that fit comes first."""
CLASSES = (
    NP_("class", "Battery"),
    NP_("class", "Keyboard"),
    NP_("class", "Microwave"),
    NP_("class", "Mobile"),
    NP_("class", "Mouse"),
    NP_("class", "PCB"),
    NP_("class", "Player"),
    NP_("class", "Printer"),
    NP_("class", "Television"),
    NP_("class", "Washing Machine"),
)
"""The classes of the shipped bundle, which have a name in each language. The others keep theirs."""


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((form, _pattern(form)) for form in FORMS)


def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", form)
    names = [f"(?P<{name}>{KINDS.get(name, WORDS)[1:]}" for name in parts[1::2]]
    texts = [re.escape(text) for text in parts[::2]]
    return re.compile("".join(map("".join, zip(texts, [*names, ""], strict=True))))


def sentence(text: str) -> str:
    """Return a text of the line in the language of the visitor, as far as its forms are known."""
    if spoken() is Language.ENGLISH or len(text) > LONGEST:
        return text
    whole = _found(text, whole=True)
    return whole or "; ".join(_found(part, whole=False) or part for part in text.split("; "))


def _found(text: str, *, whole: bool) -> str:
    """Translate a text by its form; empty: it has none.

    Args:
        text: what the line wrote, or a part of it between semicolons.
        whole: by a form that has a semicolon of its own.
    """
    for form, pattern in _patterns():
        match = pattern.fullmatch(text) if whole is ("; " in form) else None
        if match:
            places = match.groupdict().items()
            return _(form).format(**{name: _place(name, each) for name, each in places})
    return ""


def _place(name: str, text: str) -> str:
    shown: dict[str, Callable[[str], str]] = {
        "share": _share,
        "threshold": _share,
        "number": _number,
        "score": _number,
        "least": _number,
        "count": _number,
        "label": label_name,
        "other_label": label_name,
        "bin": bin_name,
        "hazards": _hazards,
    }
    return shown.get(name, str)(text)


def _share(text: str) -> str:
    return percent(float(text) / 100, _digits(text))


def _number(text: str) -> str:
    # A score may be written as 1e-05.
    return decimal(float(text), _digits(text)) if re.fullmatch(NUMBER, text) else text


def _digits(text: str) -> int:
    return len(text.partition(".")[2])


def _hazards(text: str) -> str:
    joined = []
    for each in text.split(" or "):
        match = re.fullmatch(rf"(.+) {SHARE}", each)
        joined.append(f"{label_name(match[1])} {_share(match[2])}" if match else each)
    return _(" or ").join(joined)


def label_name(label: str) -> str:
    """Return a label as it is shown: the shipped classes and `unknown` have names."""
    if label == UNKNOWN:
        return pgettext("label", "unknown")
    return pgettext("class", label) if label in CLASSES else label


def bin_name(name: str) -> str:
    """Return a bin as it is shown: `manual` has a name in each language."""
    return pgettext("bin", "manual") if name == MANUAL else name


def reason_name(reason: str) -> str:
    """Return a reason in words."""
    known = REASONS.get(reason)
    return _(known) if known else reason.replace("_", " ")


REASONS = {
    Reason.SORTED.value: N_("sorted"),
    Reason.NO_BIN.value: N_("no bin"),
    Reason.NO_VIEW.value: N_("no view"),
    Reason.UNSURE.value: N_("unsure"),
    Reason.OUT_OF_DISTRIBUTION.value: N_("out of distribution"),
    Reason.HAZARD_SUSPECTED.value: N_("hazard suspected"),
    Reason.TOUCHING.value: N_("touching"),
    Reason.NOT_CLASSIFIED.value: N_("not classified"),
    Reason.TOO_LATE.value: N_("too late"),
    Reason.NEIGHBOR_TOO_NEAR.value: N_("neighbor too near"),
    Reason.NOT_SEEN_WHOLE.value: N_("not seen whole"),
    Reason.NO_GATE.value: N_("no gate"),
    Reason.GATE_CLOSED.value: N_("gate closed"),
    Reason.MODEL_FAULT.value: N_("model fault"),
    Reason.CAMERA_FAULT.value: N_("camera fault"),
    Reason.ENCODER_FAULT.value: N_("encoder fault"),
    Reason.OUTPUT_FAULT.value: N_("output fault"),
    Reason.PAUSED.value: N_("paused"),
    Reason.ALL_MANUAL.value: N_("all manual"),
    Reason.LINE_ENDED.value: N_("line ended"),
    Reason.COUNTED_BEFORE.value: N_("counted before"),
    Reason.INVALID.value: N_("invalid"),
    Reason.UNRECORDED.value: N_("unrecorded"),
}
STATES = {
    "running": N_("running"),
    "stopped": N_("stopped"),
    "no picture": N_("no picture"),
    "belt not measured": N_("belt not measured"),
    "stalled": N_("stalled"),
    "not started": N_("not started"),
    "sorting is paused": N_("sorting is paused"),
    "everything is sent to manual": N_("everything is sent to manual"),
}


def state_name(state: str) -> str:
    """Return the state of the line in words; one that is not known as it is."""
    return _(STATES[state]) if state in STATES else state
