"""Whether what a file shows is of the shape that the line is set up for."""

TOLERANCE = 0.02
"""By so much may width over height differ: sizes are rounded to whole or even pixels."""


def stretched(size: tuple[int, int], wanted: tuple[int, int]) -> str:
    """What is said of pictures of `size` (width, height) that are scaled to `wanted`, px.

    Empty if they keep their shape. Otherwise items look wider or narrower than they are, and are
    not known.
    """
    (width, height), (wanted_width, wanted_height) = size, wanted
    ratio = (width * wanted_height) / (height * wanted_width)
    if abs(ratio - 1) <= TOLERANCE:
        return ""
    return (
        f"its pictures of {width}x{height} px are stretched to the {wanted_width}x{wanted_height} "
        f"of [camera], which have another shape; set width and height to {width} and {height}, or "
        "to less of the same shape"
    )
