"""How a counted share is printed."""

from edge.intervals import wilson


def share(part: int, total: int) -> str:
    """A share with its interval, 95 %; `-` where nothing was counted."""
    if not total:
        return "-"
    low, high = wilson(part, total)
    return f"{part / total:.1%} ({low:.1%} to {high:.1%})"
