"""How far a proportion that was counted on few images may be from the true one."""

import math


def wilson(successes: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of `successes` out of `total`: (low, high), both 0 to 1.

    `z` is the normal quantile of the confidence, 1.959964 for 95 %. With nothing counted the
    proportion may be anything: (0, 1). Source: E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 22 (1927), 209-212.

    Raises:
        ValueError: not 0 <= successes <= total.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"expected 0 <= successes <= total, got {successes} of {total}")
    if total == 0:
        return 0.0, 1.0
    share = successes / total
    spread = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    scale = 1 + z * z / total
    centre = share + z * z / (2 * total)
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
