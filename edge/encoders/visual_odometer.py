"""Where the belt is by what the camera sees of it: its grain, its stains, what lies on it.

Some rows of the green channel are compared with those of an earlier frame, the key, by
cross-correlation along the belt. Measured against a key that stays until the belt has moved on, a
belt that stands gives the same position for hours, and a belt that moves gathers one small error
per key and none per frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.belt.geometry import Geometry
from edge.cameras.camera import Frame
from edge.encoders.encoder import HEALTHY, EncoderHealth
from edge.encoders.position_history import PositionHistory

ROWS = 40
WORK_WIDTH_PX = 640
SMOOTH_MM = 20.0  # what is longer than this along the belt is light, not belt
REACH = 0.5  # of the view: the furthest motion that is looked for
FINER = 4  # the correlation is interpolated so many times
TAPERED_SHARE = 0.25
"""Of a row: an edge cut hard would spread a periodic weave over all frequencies."""
SURE_DEVIATIONS = 6.5  # standard deviations; noise alone reaches about 4 somewhere among the shifts
LIKELY_DEVIATIONS = 5.0  # enough where the belt should be by now, and enough to doubt another peak
EXPECTED_SHARE = 0.5
"""Of the highest peak: a peak where the belt should be by now wins with so much."""
SWERVE_MM = 10.0  # how far from there that may be: what a belt that brakes hard does in a frame
UNEXPLAINED_SHARE = 0.25  # of the peak at 0: a peak elsewhere that a standing belt does not explain
KEY_SHARE = 0.08  # of the view: then the next frame is the key
STILL_PX = 0.25  # less is no motion but noise
LOOK_EVERY_MM = 20.0
LOOKS_NEEDED = 25  # a mean over fewer frames would show their belt, which stands still in it
LOOK_FOLLOWED = 0.02
LOOK_MOST_GAIN = 1.5  # times the mean: under more light, dust has more contrast
LOOK_LIMIT = 20.0  # gray levels: an item that passes is not taken for dust on the lens
SPEED_OVER_S = 0.1
GOING_ON_S = 1.0  # how long after the last frame the belt is taken to go on as it did
BRIDGED_FRAMES, BRIDGED_MM, BRIDGED_S = 2, 50.0, 1.0
"""So much may be guessed at a stretch: these frames, or this way, and no more than this time."""
BLIND = "the camera cannot see whether the belt moves"


@dataclass(frozen=True)
class RowSpectra:
    """What is kept of a frame.

    Attributes:
        spectra: of its rows, complex64 [ROWS, bins].
        position_mm: where the belt was.
    """

    spectra: np.ndarray
    position_mm: float


class Odometer:
    """An encoder that is shown each frame before it is asked for the position there."""

    def __init__(self, geometry: Geometry, nominal_mm_s: float) -> None:
        """Start at position 0 with the first frame.

        Args:
            geometry: the view.
            nominal_mm_s: the speed to go by until the camera has seen any.
        """
        self._geometry = geometry
        self._binned = max(1, round(geometry.width_px / WORK_WIDTH_PX))
        self._columns = geometry.width_px // self._binned
        self._bins = cv2.getOptimalDFTSize(round(self._columns * (1 + REACH)))
        self._smooth = 2 * round(SMOOTH_MM / geometry.mm_per_px / self._binned / 2) + 1
        self._look = np.zeros((ROWS, self._columns), np.float32)
        self._looks, self._looked_mm = 0, 0.0
        self._taper = tapered(self._columns)
        self._overlap = overlap_of(self._taper)
        self._key: RowSpectra | None = None
        self._key_before: RowSpectra | None = None
        self._last: RowSpectra | None = None
        self._history: PositionHistory | None = None
        self._speed_mm_s = nominal_mm_s
        self._seen_at = 0.0  # when a motion was last measured
        self._bridged, self._bridged_mm = 0, 0.0
        self.sure = False
        """Whether the motion up to the last frame was measured, and not guessed."""

    def see(self, frame: Frame) -> None:
        """Measure how far the belt has moved since the frames before."""
        rows = self._rows(frame.pixels)
        moving = without(self._look, rows) if self._looks >= LOOKS_NEEDED else rows
        spectra = spectra_of(moving * self._taper, self._bins)
        if self._history is None or self._key is None:
            self._history = PositionHistory(frame.captured_at)
            self._seen_at = frame.captured_at
            self._key = self._last = RowSpectra(spectra, 0.0)
            return
        at = max(frame.captured_at, self._history.at)
        expected_mm = self.position_mm(at)
        position_mm = self._measured(self._key, spectra, expected_mm)
        self.sure = position_mm is not None
        if position_mm is None:
            step_mm = self._speed_mm_s * (at - self._history.at)
            self._bridged += 1
            self._bridged_mm += abs(step_mm)
            position_mm = self._history.position_mm + step_mm
        else:
            self._seen_at, self._bridged, self._bridged_mm = at, 0, 0.0
        self._last = RowSpectra(spectra, position_mm)
        shown_mm = self._history.position_mm
        if abs(position_mm - shown_mm) > STILL_PX * self._geometry.mm_per_px:
            shown_mm = position_mm
        self._history.append(at, shown_mm)
        if self.sure:
            self._speed_mm_s = recent_speed(self._history)
            self._follow_look(rows, shown_mm)
            key = self._key
            if abs(position_mm - key.position_mm) > KEY_SHARE * self._geometry.width_mm:
                self._key_before, self._key = key, self._last

    def position_mm(self, at_seconds: float) -> float:
        """The position at a time; after the last frame the belt goes on as it did."""
        if self._history is None:
            return 0.0
        since_s = min(GOING_ON_S, at_seconds - self._history.at)
        if since_s <= 0:
            return self._history.known(at_seconds)
        return self._history.position_mm + self._speed_mm_s * since_s

    def health(self) -> EncoderHealth:
        """Not trusted once more of its motion is guessed than may be (`BRIDGED_S` and others)."""
        if self.sure or self._history is None:
            return HEALTHY
        far = self._bridged > BRIDGED_FRAMES and self._bridged_mm > BRIDGED_MM
        long = far or self._history.at - self._seen_at > BRIDGED_S
        message = f"{BLIND}: check light and focus; taken to run at {self._speed_mm_s:.0f} mm/s"
        return EncoderHealth(False, message) if long else HEALTHY

    def _rows(self, pixels: np.ndarray) -> np.ndarray:
        """The belt's detail in some rows of uint8 RGB [H, W, 3]: float32 [ROWS, columns]."""
        height, end = pixels.shape[0], self._columns * self._binned
        places = (np.arange(ROWS) * (height - 1)) // ROWS
        rows = np.zeros((ROWS, self._columns), np.float32)
        for row in (0, 1):
            green = pixels[places + row, :end, 1]
            for column in range(self._binned):
                rows += green[:, column :: self._binned]
        rows /= 2 * self._binned
        return rows - cv2.blur(rows, (self._smooth, 1))

    def _measured(self, key: RowSpectra, spectra: np.ndarray, expected_mm: float) -> float | None:
        """The position by the key, else by another frame; None: neither is like this one.

        A position that is not where the belt should be by now needs both, unless one is unknown or
        only guessed.
        """
        by_key = self._position_by(key, spectra, expected_mm)
        if by_key is not None and abs(by_key - expected_mm) <= SWERVE_MM:
            return by_key
        other = self._last if self._last is not key else self._key_before
        by_other = None if other is None else self._position_by(other, spectra, expected_mm)
        if by_key is None:
            self._key = key if by_other is None else other
            return by_other
        agree = by_other is None or not self.sure or abs(by_key - by_other) <= SWERVE_MM
        return by_key if agree else None

    def _position_by(
        self, key: RowSpectra, spectra: np.ndarray, expected_mm: float
    ) -> float | None:
        mm_per_column = self._binned * self._geometry.mm_per_px
        expected = (expected_mm - key.position_mm) / mm_per_column
        slack = SWERVE_MM / mm_per_column
        shift = shift_of(
            key.spectra,
            spectra,
            overlap=self._overlap,
            bins=self._bins,
            expected=expected,
            slack=slack,
        )
        return None if shift is None else key.position_mm + shift * mm_per_column

    def _follow_look(self, rows: np.ndarray, position_mm: float) -> None:
        """Let what stays in the picture while the belt moves, dust and light, be known as such."""
        if abs(position_mm - self._looked_mm) < LOOK_EVERY_MM:
            return
        self._looked_mm = position_mm
        self._looks += 1
        change = np.clip(rows - self._look, -LOOK_LIMIT, LOOK_LIMIT)
        self._look += max(LOOK_FOLLOWED, 1 / self._looks) * change


def without(look: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What in float32 [rows, columns] is not the look of the dust and the light, row by row.

    As much of the look is taken away as is there: none from a picture that shows nothing at all.
    """
    there = (rows * look).sum(1, keepdims=True) / ((look**2).sum(1, keepdims=True) + 1e-3)
    return rows - there.clip(0, LOOK_MOST_GAIN) * look


def tapered(columns: int) -> np.ndarray:
    """A window that falls to 0 at both ends of a row, float32 [columns]."""
    ramp = round(TAPERED_SHARE * columns / 2)
    window = np.ones(columns, np.float32)
    window[:ramp] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)
    window[columns - ramp :] = window[:ramp][::-1]
    return window


def overlap_of(window: np.ndarray) -> np.ndarray:
    """How much of two windows lies on each other at each shift within reach, 1 at no shift."""
    columns = len(window)
    shared = np.correlate(window, window, "full")[columns - 1 :] / np.sum(window**2)
    lags = np.abs(np.arange(-round(REACH * columns * FINER), round(REACH * columns * FINER) + 1))
    return np.interp(lags / FINER, np.arange(columns), shared)


def spectra_of(rows: np.ndarray, bins: int) -> np.ndarray:
    """The spectra of float32 [rows, columns], complex64 [rows, bins // 2 + 1].

    Each row counts the same however strong its contrast, and strong frequencies count little more
    than weak ones: an item or a periodic weave must not outvote the belt.
    """
    rows = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-3)
    spectra = np.fft.rfft(rows, bins, axis=1)
    strength = np.abs(spectra)
    return (spectra / (strength + strength.mean() + 1e-9)).astype(np.complex64)


def shift_of(
    before: np.ndarray,
    now: np.ndarray,
    *,
    overlap: np.ndarray,
    bins: int,
    expected: float,
    slack: float,
) -> float | None:
    """How many columns the rows behind two spectra have moved to the right; None: unknown.

    That is where their correlation is highest, with two exceptions. Where the belt is expected,
    give or take `slack` columns, half of that height is enough: a weave or a row of keys looks
    like itself at other shifts too. And a peak at no shift may be the belt that stands, or dust on
    the lens under which it moves: a peak elsewhere wins, if the belt's likeness to itself does not
    explain it.
    """
    reach = len(overlap) // 2
    lags = np.arange(-reach, reach + 1)
    weight = 1 / np.sqrt(overlap)

    def correlation(product: np.ndarray) -> np.ndarray:
        return np.fft.irfft(product, bins * FINER)[lags] * weight

    found = correlation((np.conj(before) * now).sum(0))
    spread = deviation(found)
    peak = int(np.argmax(found))
    first = min(len(found), max(0, round((expected - slack) * FINER) + reach))
    near = found[first : max(0, round((expected + slack) * FINER) + reach + 1)]
    if near.size and near.max() > max(LIKELY_DEVIATIONS * spread, EXPECTED_SHARE * found[peak]):
        peak = first + int(np.argmax(near))
    elif found[peak] <= SURE_DEVIATIONS * spread:
        return None
    if abs(lags[peak]) <= FINER:
        itself = correlation((np.abs(before) ** 2).sum(0))
        moved = found - itself * (found[peak] / itself[reach])
        moved[reach - 2 * FINER : reach + 2 * FINER + 1] = 0
        other = int(np.argmax(moved))
        if moved[other] > max(LIKELY_DEVIATIONS * spread, UNEXPLAINED_SHARE * found[peak]):
            if moved[other] <= SURE_DEVIATIONS * spread:
                return None
            peak = other
    if not 0 < peak < len(found) - 1:
        return None
    left, middle, right = (found / weight / overlap)[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    vertex = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(lags[peak] + vertex) / FINER


def recent_speed(history: PositionHistory) -> float:
    """The speed of the belt over the last `SPEED_OVER_S` that are known, mm/s."""
    before_mm = history.known(history.at - SPEED_OVER_S)
    return (history.position_mm - before_mm) / SPEED_OVER_S


def deviation(values: np.ndarray) -> float:
    """The standard deviation of what is not the peak: from the median deviation of a normal."""
    some = values[::FINER]
    return 1.4826 * float(np.median(np.abs(some - np.median(some))))
