"""The marker sheet as a file: a PDF of vector shapes, which prints in its exact size, or a PNG.

Source of the format: ISO 32000-1, 7.5 (file structure), 8.5 (paths), 9.6.2.2 (standard fonts).
"""

import io

import cv2
import numpy as np
from PIL import Image

from edge.belt_setup.sheet import Sheet, arrow_tip, labels, shapes

POINTS_PER_MM = 72 / 25.4
"""The unit of a page in PDF is 1/72 inch."""
PNG_PX_PER_MM = 20
SHIFT = 8
"""Fractional bits of OpenCV's coordinates."""


def to_pdf(sheet: Sheet) -> bytes:
    """The sheet as a PDF of one page; its shapes are given in mm, y upwards."""
    height = sheet.height_mm
    drawn = [f"{POINTS_PER_MM:.8f} 0 0 {POINTS_PER_MM:.8f} 0 0 cm 0 g"]
    # All shapes are one path: between two that share an edge no hairline shows.
    drawn += [
        f"{box.left:.4f} {height - box.top - box.height:.4f} {box.width:.4f} {box.height:.4f} re"
        for box in shapes(sheet)
    ]
    (x, y), *others = arrow_tip(sheet)
    corners = " ".join(f"{x:.4f} {height - y:.4f} l" for x, y in others)
    drawn.append(f"{x:.4f} {height - y:.4f} m {corners} h f")
    drawn += [
        f"BT /F1 {label.size:.2f} Tf {label.left:.4f} {height - label.base:.4f} Td "
        f"({_escaped(label.text)}) Tj ET"
        for label in labels(sheet)
    ]
    page = f"[0 0 {sheet.width_mm * POINTS_PER_MM:.4f} {height * POINTS_PER_MM:.4f}]"
    return _document("\n".join(drawn).encode("ascii"), page)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _document(content: bytes, page: str) -> bytes:
    """A PDF file around the content of its one page."""
    objects = (
        # PrintScaling keeps viewers from fitting the page to the paper.
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {page} /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    written, offsets = b"%PDF-1.6\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    return written + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (count, rows, count, len(written))
    )


def to_pixels(sheet: Sheet, px_per_mm: float) -> np.ndarray:
    """The printed page, uint8 [h, w], black 0 and paper 255.

    A point (x, y) of the page in mm is in column x * px_per_mm, where a column's left side counts,
    not its middle.
    """
    size = (round(sheet.height_mm * px_per_mm), round(sheet.width_mm * px_per_mm))
    page = np.full(size, 255, np.uint8)
    for box in shapes(sheet):
        left, top = box.left * px_per_mm, box.top * px_per_mm
        right, bottom = left + box.width * px_per_mm, top + box.height * px_per_mm
        page[round(top) : round(bottom), round(left) : round(right)] = 0
    tip = np.array(arrow_tip(sheet)) * px_per_mm - 0.5
    cv2.fillPoly(page, [np.rint(tip * 2**SHIFT).astype(np.int32)], 0, cv2.LINE_AA, SHIFT)
    for label in labels(sheet):
        at = (round(label.left * px_per_mm), round(label.base * px_per_mm))
        size_px, thick = label.size * px_per_mm, max(1, round(0.3 * px_per_mm))
        scale = size_px / 30  # the letters of this font are about so many pixels high at 1
        cv2.putText(page, label.text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, thick, cv2.LINE_AA)
    return page


def to_png(sheet: Sheet) -> bytes:
    """The page as a PNG file that says how large its pixels are (508 to the inch)."""
    image, file = Image.fromarray(to_pixels(sheet, PNG_PX_PER_MM)), io.BytesIO()
    dots = PNG_PX_PER_MM * 25.4
    image.save(file, "PNG", dpi=(dots, dots), optimize=True)
    return file.getvalue()
