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
KINDS = {
    "share": SHARE,
    "other_share": SHARE,
    "threshold": SHARE,
    "count": r"(\d{1,15})",
    "other_count": r"(\d{1,15})",
    "number": NUMBER,
    "other_number": NUMBER,
}
"""What a place of these names holds; any other holds a few words."""
WORDS = r"(.{1,250}?)"

UPLOAD = "the upload"
"""What stands for the folder that a bundle was unpacked into, which nobody knows."""

FORMS = (
    # why a bundle is refused; first, for what follows in it has a form of its own
    N_("refused by the check '{check}': {cause}"),
    N_("no packed bundle: {cause}"),
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
    N_("{label} {share} by other sensors, {other_label} by its looks over 1 view"),
    N_("{label} {share} by other sensors, {other_label} by its looks over {count} views"),
    N_("{label} {share} by other sensors, {other_label} by its looks has no bin of its own"),
    N_("{label} {share} by other sensors, {other_label} by its looks, but may be {hazards}"),
    N_("{label} {share}, but without the answer of {sensors}"),
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
    N_("random share of the doubtful"),
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
    N_("an item of the group does not wait any more, or must be judged alone; look again"),
    N_("a group has at most {count} items, each of them once"),
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
    N_("Too many bundles at once; try again in a moment."),
    # what was learned, and what a line makes of it
    N_("there is no such proposal any more"),
    N_("the guard refuses it"),
    N_("it was prepared for another bundle than the one in use"),
    N_("something else was learned since it was prepared"),
    N_("wait for the next one, or run ewaste-edge learn"),
    N_("{path}: something else was learned meanwhile; try again"),
    N_("{path}: nothing is learned, so there is nothing to go back to"),
    N_("proposal {number}: teach {label}"),
    N_("proposal {number}: recalibrate"),
    N_("recalibrated"),
    N_("rolled back by {name}"),
    N_("rolled back by hand"),
    N_("was cut off before it came into use"),
    N_("then {cause}"),
    # what is wrong with a bundle, and what to do
    N_("copy the bundle again or convert it again"),
    N_("train and convert again"),
    N_("convert another"),
    N_("install it again"),
    N_("install a bundle again, or remove the link for the one that comes with the program"),
    N_("convert another, or install it with --again"),
    N_("to go back take ewaste-edge rollback, or install it with --older"),
    N_("check space and rights"),
    N_("the line gives no picture"),
    N_("see that it runs and its camera works"),
    N_("try again when it is done"),
    N_("free some memory"),
    N_("run: pip install ai-edge-litert"),
    N_("pack the files of a bundle as zip"),
    N_("sign the bundle again"),
    N_("only bundles signed by a trusted key are accepted"),
    N_("if it is yours, add it to [trust] keys in the configuration"),
    N_("update the TFLite runtime or copy the bundle again or convert it again"),
    N_(
        "update the TFLite runtime (pip install -U ai-edge-litert) or copy the bundle again or "
        "convert it again"
    ),
    N_("resized or colored otherwise than in training"),
    N_("reinstall ewaste-edge and opencv-python-headless"),
    N_("set [bins] and [[gates]] in the configuration"),
    N_("its classes are {labels}"),
    N_("change [{key}] in the configuration"),
    N_("the archive has more than {count} MB"),
    N_("its files lie in several folders"),
    N_("it is empty"),
    N_("it unpacks to more than {count} MB"),
    N_("no zip archive, or an odd one"),
    N_("an archive of more than {count} files"),
    N_("an archive with an endless directory"),
    N_("an archive with a name twice"),
    N_("a broken archive: {problem}"),
    N_("{name} leads out of the archive"),
    N_("{name} is a link or a device"),
    N_("{name} is a folder in a folder"),
    N_("{name} is no file of one bundle"),
    N_("{name} is packed in another way than ours"),
    N_("{name} is larger than {count} bytes"),
    N_("{name} cannot be unpacked: {problem}"),
    N_("{name} cannot be read: {problem}"),
    N_("no TFLite runtime is installed"),
    N_("cannot be run ({problem})"),
    N_("{path}: not verified"),
    N_("{path}: not what was verified"),
    N_("{path}: cannot be read ({problem})"),
    N_("{path}: cannot be written ({problem})"),
    N_("{path}: cannot be tried, no process can be started ({problem})"),
    N_("{path}: no regular file"),
    N_("{path}: greater than {amount} bytes"),
    N_("{path}: missing"),
    N_("{path}: missing from the bundle"),
    N_("{path}: not a bundle (expected a folder with {name} and {other_name})"),
    N_("{path}: points to {target}, which is not there"),
    N_("{path}: must list {names}"),
    N_("{path}: format: {name} is not 1 or 2"),
    N_("{path}: altered since it was converted"),
    N_("{path}: other labels than in {name}"),
    N_("{path}: carries other labels than {name} states"),
    N_("{path}: its labels cannot be read ({problem})"),
    N_("{path}: no signature"),
    N_("{path}: not of this manifest"),
    N_("{path}: signed by an untrusted key ({key})"),
    N_("{path}: the model did not pass parity"),
    N_(
        "{path}: {labels} must be a hazard here ([trust] require_hazards), but its hazards are "
        "{other_labels}"
    ),
    N_(
        "{path}: agrees with Keras on {share} by its figures or its gate, at least {threshold} is "
        "asked for here ([trust] minimum_agreement)"
    ),
    N_("{path}: not a model this runtime can load ({problem})"),
    N_("{path}: the model has {number} classes, but {count} labels"),
    N_("{path}: takes images of {number} pixels, but the manifest says {count}"),
    N_("{path}: gives an activation map of {size}, but the manifest says {other_size}"),
    N_("{path}: takes too long to run, or too much memory"),
    N_("{path}: brought down the runtime that tried it (signal {count})"),
    N_("{path}: ended the program that tried it (exit code {count})"),
    N_("{path}: not a golden file ({problem})"),
    N_("{path}: inputs of another model"),
    N_("{path}: a frame of another model"),
    N_("{path}: {name} of another model"),
    N_(
        "{path}: on this machine its outputs are up to {number} steps off those of {name} "
        "(allowed: {count})"
    ),
    N_("{path}: on this machine {number} of {count} golden inputs get another label"),
    N_(
        "{path}: on this machine a frame becomes another input ({number} levels off on average, at "
        "most {least} allowed)"
    ),
    N_("{path}: probabilities that are no numbers"),
    N_("{path}: an activation map of no numbers"),
    N_("{path}: likenesses that are no numbers"),
    N_("{path}: does not fit the model ({problem})"),
    N_("{path}: sorts into {names}, which have no gate here"),
    N_("{path}: the model knows no {labels}"),
    N_("{path}: another install is at work"),
    N_("{path}: nothing is installed, so there is nothing to go back to"),
    N_("{path}: no earlier bundle to go back to"),
    N_("{path}: was rolled back ({problem})"),
    N_("the bundle {name} was rolled back to {other_name}: {problem}"),
    N_(
        "items unknown or by hand: {share} over {count} items, {other_share} over {other_count} "
        "before"
    ),
    N_(
        "items that the model failed at: {share} over {count} items, {other_share} over "
        "{other_count} before"
    ),
    N_(
        "time of an inference: {number} ms over {count} items, {other_number} ms over "
        "{other_count} before"
    ),
    N_("{path}: converted {moment}, before the one in use ({name}, {other_moment})"),
    # what the checks of a bundle found
    N_("format {number}, {count} classes"),
    N_("{count} files"),
    N_("not asked for: no key is trusted"),
    N_("not asked for: no key is trusted, though signed"),
    N_("by ed25519:{key}"),
    N_("{share} as Keras on {count} {split} images"),
    N_("{count} hazards, agreement of {share}"),
    N_("{runtime}, {number} px, {count} threads"),
    N_("no frame in this bundle"),
    N_("at most {count} levels off"),
    N_("{number} inputs, at most {count} steps off"),
    N_("{number} ms an image"),
    # what is at fault; a camera, a file, or an output is named before some, with a colon
    N_("it gives no pictures"),
    N_("the camera gives no more pictures"),
    N_("the camera gives {given} px instead of {configured}"),
    N_("set width and height in [camera] to what it gives"),
    N_("the picture is black"),
    N_("check the light and the lens cap"),
    N_("the picture is frozen: not one point changed in {number} s"),
    N_("the camera does not start ({error})"),
    N_("there is no such camera any more"),
    N_("cannot be opened as a video"),
    N_("check the path or the camera"),
    N_("the camera cannot see whether the belt moves: check light and focus"),
    N_("taken to run at {number} mm/s"),
    N_("the camera measures the belt instead"),
    N_("the encoder is silent while the belt moves: check its cable"),
    N_("the encoder counts while the belt stands: check its cable and its wheel"),
    N_(
        "the encoder counts while the belt stands ({count} pulses came faster than any belt): "
        "check its cable and its wheel"
    ),
    N_(
        "the encoder measured {number} mm while the camera saw {other_number} mm: check its "
        "wheel, mm_per_pulse and mm_per_px"
    ),
    N_(
        "the encoder measured {number} mm while the camera saw {other_number} mm ({count} pulses "
        "came faster than any belt): check its wheel, mm_per_pulse and mm_per_px"
    ),
    N_("sensor {sensor}: no sign of life for {number} s"),
    N_("sensor {sensor}: does not answer"),
    N_("the model has failed"),
    N_("the page is no longer supervised"),
    N_("there is no page: {error}"),
    N_("the page has ended (exit code {code})"),
    N_("the page does not answer"),
    N_("live view: {error}"),
    N_("the state cannot be published ({error})"),
    N_("an item cannot be published ({error})"),
    N_("an item cannot be printed ({error})"),
    N_("{stream} cannot be written ({error}): {count} lines lost"),
    N_("records lost: {count} ({error})"),
    N_("not an order"),
    N_("set it anew: ewaste-edge mode"),
    N_("its thread has ended"),
    N_("start the line anew"),
    N_("not reached yet"),
    N_("no answer (address {address})"),
    N_("the connection was closed (address {address})"),
    N_("address {address} refused (Modbus exception {answer})"),
    N_("the broker acknowledges nothing"),
    N_("the broker does not answer"),
    N_("the broker refuses the connection ({error})"),
    N_("the broker sends packets that were not asked for"),
    N_("the connection was lost ({error})"),
    N_("old records cannot be deleted ({error})"),
    N_("a record cannot be stored ({error})"),
    N_("was moved or deleted while the line records there"),
    N_("no regular file"),
    N_("no state folder of a line"),
    N_("is damaged ({error})"),
    N_("cannot be read ({error})"),
    N_("cannot be written ({error})"),
    N_("cannot be opened ({error})"),
    N_("cannot be used ({error})"),
    N_("another page holds it"),
    N_("end that one"),
    N_("the alarms cannot be judged ({error})"),
    N_("an urgent alarm cannot be shelved"),
    N_("an alarm is shelved for one shift at most"),
    N_("the line does not tell yet how the empty belt looks"),
    # what the system says
    N_("[Errno {count}] {error}"),
    N_("No space left on device"),
    N_("Read-only file system"),
    N_("Input/output error"),
    N_("Permission denied"),
    N_("No such file or directory"),
    N_("Connection refused"),
    N_("Connection reset by peer"),
    N_("No route to host"),
    N_("Network is unreachable"),
    N_("Name or service not known"),
    N_("timed out"),
    N_("database or disk is full"),
    N_("disk I/O error"),
    N_("database is locked"),
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
USERS = (NP_("user", "the page"), NP_("user", "the line"))
"""Who did something that no person with a name did."""
FAULT_KINDS = {
    "": N_("Line"),
    "camera": N_("Camera"),
    "belt": N_("Belt"),
    "records": N_("Records"),
    "model": N_("Model"),
    "page": N_("Page"),
    "bundle": N_("Bundle"),
    "live view": N_("Live view"),
}
"""What the history of faults calls what is at fault; `edge.line_status` gives these names."""


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
    return _found(text, whole=True) or "; ".join(_part(part) for part in text.split("; "))


def _part(text: str) -> str:
    """Translate a part of a text; of one that names a thing before a colon, what follows it."""
    name, colon, rest = text.partition(": ")
    found = _found(text, whole=False)
    if found or not colon:
        return found or text
    return f"{_found(name, whole=False) or name}: {_found(rest, whole=False) or rest}"


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
        "other_share": _share,
        "threshold": _share,
        "number": _number,
        "other_number": _number,
        "score": _number,
        "least": _number,
        "count": _number,
        "other_count": _number,
        "label": label_name,
        "other_label": label_name,
        "bin": bin_name,
        "hazards": _hazards,
        "labels": _labels,
        "other_labels": _labels,
        "check": check_name,
        "cause": lambda cause: _found(cause, whole=False) or cause,
        "path": lambda path: _("the upload") if path == UPLOAD else path,
        "error": _part,
        "problem": _part,
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


def _labels(text: str) -> str:
    return ", ".join(_("none") if each == "none" else label_name(each) for each in text.split(", "))


def figures(text: str) -> str:
    """Return what an alarm was raised by: a sentence of the line, or figures, names among them."""
    if spoken() is Language.ENGLISH or len(text) > LONGEST:
        return text
    label, colon, rest = text.rpartition(": ")
    if re.fullmatch(f"{SHARE} > {SHARE}", rest):
        text = f"{label_name(label)}{colon}{rest}"
    return re.sub(SHARE, lambda found: _share(found[1]), sentence(text))


def user_name(name: str) -> str:
    """Return who did something; a line without accounts has names for that too."""
    return pgettext("user", name) if name in USERS else name


def fault_name(kind: str) -> str:
    """Return what a fault is of; an output keeps its name."""
    return _(FAULT_KINDS[kind]) if kind in FAULT_KINDS else kind


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
    Reason.SENSOR_SILENT.value: N_("sensor silent"),
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
CHECKS = {
    "schema": N_("schema"),
    "digests": N_("digests"),
    "signature": N_("signature"),
    "parity": N_("parity"),
    "demands": N_("demands"),
    "model": N_("model"),
    "preprocessing": N_("preprocessing"),
    "golden outputs": N_("golden outputs"),
    "speed": N_("speed"),
}
"""The checks of a bundle (`edge.bundle.verify`)."""


def check_name(name: str) -> str:
    """Return a check of a bundle in words; one that is not known as it is."""
    return _(CHECKS[name]) if name in CHECKS else name


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
