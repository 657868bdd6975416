"""Whether what a file shows is of the shape that the line is set up for."""

TOLERANCE = 0.02
"""By so much may width over height differ: sizes are rounded to whole or even pixels."""

LONGEST_PX = 4096
"""The longest side that [camera] takes."""


def stretched(size: tuple[int, int], frame_size: tuple[int, int]) -> str:
    """The remark on pictures of `size` (width, height) that are scaled to `frame_size`, px.

    Empty if they keep their shape. Otherwise items look wider or narrower than they are, and are
    not known.
    """
    (width, height), (frame_width, frame_height) = size, frame_size
    ratio = (width * frame_height) / (height * frame_width)
    if abs(ratio - 1) <= TOLERANCE:
        return ""
    scale = min(1.0, LONGEST_PX / max(size))
    fits = f"{round(width * scale)} and {round(height * scale)}"
    return (
        f"its pictures of {width}x{height} px are stretched to the {frame_width}x{frame_height} "
        f"of [camera], which have another shape; set width and height to {fits}, and mm_per_px to "
        "what a pixel then shows"
    )
