"""Whether what a file shows is of the shape that the line is set up for."""

TOLERANCE = 0.02
"""By so much may width over height differ: sizes are rounded to whole or even pixels."""

LONGEST_PX = 4096
"""The longest side that [camera] takes."""


def stretched(size: tuple[int, int], wanted: tuple[int, int]) -> str:
    """What is said of pictures of `size` (width, height) that are scaled to `wanted`, px.

    Empty if they keep their shape. Otherwise items look wider or narrower than they are, and are
    not known.
    """
    (width, height), (wanted_width, wanted_height) = size, wanted
    ratio = (width * wanted_height) / (height * wanted_width)
    if abs(ratio - 1) <= TOLERANCE:
        return ""
    scale = min(1.0, LONGEST_PX / max(size))
    fits = f"{round(width * scale)} and {round(height * scale)}"
    return (
        f"its pictures of {width}x{height} px are stretched to the {wanted_width}x{wanted_height} "
        f"of [camera], which have another shape; set width and height to {fits}, and mm_per_px to "
        "what a pixel then shows"
    )
