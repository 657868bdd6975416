"""What the camera shows of the belt: pixels to millimeters along and across it.

The belt moves along +x of the image. The belt coordinate of a point is the encoder reading at the
moment it passes the camera line, the image's middle column. It is constant for a physical object
whatever the belt does, which is what makes counting once possible.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """The view: the size of the frames and how much belt one pixel shows.

    The default, 1280 x 720 px, shows 800 mm along the belt and 450 mm across it.
    """

    width_px: int = 1280
    height_px: int = 720
    mm_per_px: float = 0.625

    @property
    def width_mm(self) -> float:
        """Length of the belt in view."""
        return self.width_px * self.mm_per_px

    @property
    def height_mm(self) -> float:
        """Width of the belt in view."""
        return self.height_px * self.mm_per_px

    def belt_position(self, x_px: float, encoder_mm: float) -> float:
        """The belt coordinate, mm, of the image column `x_px` at the reading `encoder_mm`."""
        return encoder_mm - (x_px - self.width_px / 2) * self.mm_per_px

    def column(self, position_mm: float, encoder_mm: float) -> float:
        """The image column, px, of a belt coordinate: the inverse of `belt_position`."""
        return self.width_px / 2 + (encoder_mm - position_mm) / self.mm_per_px

    def belt_offset(self, y_px: float) -> float:
        """How far, mm, the image row `y_px` is from the middle of the view, downwards positive."""
        return (y_px - self.height_px / 2) * self.mm_per_px

    def row(self, offset_mm: float) -> float:
        """The image row, px, of an offset: the inverse of `belt_offset`."""
        return self.height_px / 2 + offset_mm / self.mm_per_px


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels: `left` and `top` belong to it, `right` and `bottom` do not."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def center(self) -> tuple[float, float]:
        """The middle (x, y) in px."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def union(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )
