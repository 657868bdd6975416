"""Manifests of format 1, whose keys had other spellings, translated to format 2.

This file and the changelog are the only places where the old spellings live on: bundles of format 1
are on devices, and their digests must not change.
"""

from collections.abc import Mapping
from typing import Any

KEYS = {
    "colour": "color",
    "hazard_suspicion": "hazard_thresholds",
    "accuracy_quantised": "accuracy_quantized",
    "accuracy_quantised_interval": "accuracy_quantized_interval",
    "right_quantised": "right_quantized",
    "ece_quantised": "ece_quantized",
}
"""Key of format 1 -> key of format 2."""
_SCORES = {"neighbours": "neighbors"}


def renamed(part: Any) -> Any:
    """One part of a manifest with the keys of format 2; values stay, but for a score's name."""
    if not isinstance(part, Mapping):
        return part
    return {KEYS.get(key, key): value for key, value in part.items()}


def to_format_2(manifest: Any) -> Any:
    """A manifest of format 1, parsed from JSON, as one of format 2; anything else unchanged."""
    if not isinstance(manifest, Mapping) or manifest.get("format") not in (1, None):
        return manifest
    changed = {**renamed(manifest), "format": 2}
    changed["input"] = renamed(changed.get("input"))
    changed["unknown"] = with_current_score(changed.get("unknown"), "score")
    parity = renamed(changed.get("parity"))
    if isinstance(parity, Mapping):
        drift = with_current_score(renamed(parity.get("drift")), "unknown_score")
        parity = {**parity, "drift": drift}
        for group in ("classes", "datasets"):
            if isinstance(parity.get(group), Mapping):
                parity[group] = {name: renamed(each) for name, each in parity[group].items()}
    return {**changed, "parity": parity}


def with_current_score(part: Any, key: str) -> Any:
    """One part of a manifest with the score named by `key` in its current spelling."""
    if not isinstance(part, Mapping):
        return part
    score = part.get(key)
    return {**part, key: _SCORES.get(score, score) if isinstance(score, str) else score}
