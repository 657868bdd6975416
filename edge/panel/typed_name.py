"""The name that a person types for an item that is of no class of the bundle."""

from collections.abc import Collection, Sequence

from edge.labels import label_problem, near_labels, normalized
from edge.panel.languages import _
from edge.panel.posted import NotDone

LONGEST_TYPED = 60
"""Characters."""


def typed_name(typed: str, labels: Sequence[str], earlier: Collection[str]) -> str:
    """Return the name that is kept, written as it was typed the first time.

    Args:
        typed: what a person typed.
        labels: the classes that have a button of their own.
        earlier: the names that were typed before.

    Raises:
        NotDone: no class may be called so, or there is a button for it.
    """
    name = normalized(" ".join(typed.split()))
    if len(name) > LONGEST_TYPED or label_problem(name) is not None:
        text = _("No class can be called so; type a word of at most {count} letters.")
        raise NotDone(400, text.format(count=LONGEST_TYPED))
    if known := near_labels(name, labels):
        text = _("There is a button for {label}; use that.")
        raise NotDone(400, text.format(label=known[0]))
    return min(near_labels(name, tuple(earlier)), default=name)
