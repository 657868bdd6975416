"""The reasons of records that versions before 3 wrote as sentences."""

import re
from functools import lru_cache
from typing import Any

from edge.labels import MANUAL
from edge.verdict import Reason

_ROUTED = (
    (r"the gate of .* was closed", Reason.GATE_CLOSED),
    (r"too late for ", Reason.TOO_LATE),
    (r"too near an item bound elsewhere for ", Reason.NEIGHBOR_TOO_NEAR),
    (r"not seen from its beginning for ", Reason.NOT_SEEN_WHOLE),
    (r"without a gate for ", Reason.NO_GATE),
    (r"the line ended; ", Reason.LINE_ENDED),
    (r"the camera failed; ", Reason.CAMERA_FAULT),
    (r".*the camera cannot see whether the belt moves", Reason.ENCODER_FAULT),
)
"""What was written before the verdict's own sentence when the item could not go to its bin."""
_DECIDED = (
    (r"touches another item", Reason.TOUCHING),
    (r"counted before the restart$", Reason.COUNTED_BEFORE),
    (r"no whole view of the item$", Reason.NO_VIEW),
    (r"the model's answer is no number$", Reason.INVALID),
    (r"the model failed at it$", Reason.MODEL_FAULT),
    (r"too late to be classified$", Reason.NOT_CLASSIFIED),
    (r"unsure: ", Reason.UNSURE),
    (r"like nothing known: ", Reason.OUT_OF_DISTRIBUTION),
    (r".* \d+%, but may be ", Reason.HAZARD_SUSPECTED),
    (r".* \d+% has no bin of its own$", Reason.NO_BIN),
    (r".* \d+% over \d+ views?$", Reason.SORTED),
)
"""The verdict's own sentence. A label may hold any words: the sentences without one come first."""


@lru_cache(maxsize=4096)
def reason_of(sentence: Any, bin_name: Any) -> Any:
    """Return the value of `Reason` for a sentence.

    Args:
        sentence: as it was recorded. Anything but a text is damage, and returned as it is.
        bin_name: where the item went.
    """
    if not isinstance(sentence, str):
        return sentence
    for pattern, reason in (*_ROUTED, *_DECIDED):
        if re.match(pattern, sentence, re.DOTALL):
            # A gate's fault, in the words of its driver, was written before the sentence of an
            # item that was to go to its bin.
            faulty = reason is Reason.SORTED and bin_name == MANUAL
            return (Reason.OUTPUT_FAULT if faulty else reason).value
    return Reason.UNRECORDED.value
