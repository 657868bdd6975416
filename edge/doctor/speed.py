"""Whether the model is fast enough for the belt."""

from dataclasses import dataclass

from edge.doctor.check import BoardCheck, failure, ok, warning

NAME = "speed"
SHORTEST_ITEM_MM = 45.0
"""Of a model without any class whose size is known: the shortest typical battery."""


@dataclass(frozen=True)
class BeltLoad:
    """How densely items may lie on the belt.

    Attributes:
        speed_mm_s: of the belt.
        shortest_mm: the length of the shortest items: nearer to each other they touch.
        separable_mm: items of two bins that are not so far apart cannot be sorted apart by the
            gates (`edge.gates.schedule`); 0: there is no gate.
    """

    speed_mm_s: float
    shortest_mm: float
    separable_mm: float

    @property
    def pitch_mm(self) -> float:
        """The shortest distance from the middle of an item to that of the next."""
        return max(self.shortest_mm, self.separable_mm, 1.0)

    @property
    def items_s(self) -> float:
        """How many items come in a second, at most."""
        return self.speed_mm_s / self.pitch_mm


def speed(view_ms: float, views: int, load: BeltLoad, *, beside_line: bool = False) -> BoardCheck:
    """Whether the board decides as many items as the belt can carry.

    Args:
        view_ms: of one view, from its pixels to its prediction, ms, > 0.
        views: of an item that are classified at most.
        load: how densely items may lie.
        beside_line: whether a line ran while the time was taken.
    """
    once_s, fully_s = 1000 / view_ms, 1000 / (view_ms * views)
    when = "beside a line that runs" if beside_line else "with nothing else running"
    assumed = (
        f"{view_ms:.1f} ms a view {when}, items {load.pitch_mm:.0f} mm apart "
        f"at {load.speed_mm_s:g} mm/s"
    )
    carried = f"the belt can carry {load.items_s:.1f}"
    if fully_s >= load.items_s:
        found = f"this board decides {fully_s:.1f} items a second by {views} views each"
        return ok(NAME, f"{found}, {carried} (assumed: {assumed})")
    slower = f"[belt] speed_mm_s = {0.9 * fully_s * load.pitch_mm:.0f}"
    if once_s >= load.items_s:
        return warning(
            NAME,
            f"this board decides {fully_s:.1f} items a second by {views} views each, {once_s:.1f} "
            f"by one, {carried} (assumed: {assumed})",
            f"set [classifier] views lower, take a model of a smaller image size, or run the belt "
            f"slower: {slower}",
        )
    return failure(
        NAME,
        f"this board decides {once_s:.1f} items a second even by one view each, {carried}: the "
        f"others go to manual (assumed: {assumed})",
        f"take a model of a smaller image size or a faster board, or run the belt slower: {slower}",
    )
