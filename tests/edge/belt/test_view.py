import cv2
import numpy as np

from edge.belt.view import CROP_SIDE, View, encoded, sharpness


def picture(blur: float = 0.0, side: int = 240) -> np.ndarray:
    grain = np.random.default_rng(0).integers(60, 200, (side // 8, side // 8, 3), np.uint8)
    pixels = cv2.resize(grain, (side, side), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels


def test_blur_takes_sharpness_away_at_any_size():
    for side in (64, 240, 480):
        blurred = [sharpness(picture(blur, side)) for blur in (0, 2, 4)]
        assert blurred[0] > 1.3 * blurred[1] > 1.3 * blurred[2] > 0
    assert sharpness(np.full((50, 50, 3), 90, np.uint8)) == 0


def test_crop_is_a_small_jpeg():
    jpeg = encoded(View(picture(side=900)[:600], 0.0, 0.0))
    shrunk = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert max(shrunk.shape[:2]) <= CROP_SIDE and encoded(None) == b""
