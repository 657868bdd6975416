"""Accuracy over latency by image size: python convert/sizes.py --bundles DIR ... --out curve.png

The curve shows what a larger picture buys. Best are bundles each trained at its own size. Weights
of one size converted at another (`convert/quantize.py --image-size`) need no training and are
marked.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import typer

from convert.proof.timing import median_in_turns
from edge.bundle.bundle import Bundle
from edge.bundle.verify import verify
from edge.errors import BadInput
from edge.terminal import out as results
from train.command import command, print_json


@dataclass(frozen=True)
class Point:
    """One bundle on the curve.

    Attributes:
        bundle: its name.
        size: of its input, px.
        trained_size: the size its weights were trained at, px.
        accuracy, accuracy_low, accuracy_high: quantized, with Wilson's 95 % interval, as its parity
            verdict says.
        split: what that was judged on.
        median_ms: of one inference on this machine, all bundles taking turns.
        best: whether nothing is both faster and as accurate.
    """

    bundle: str
    size: int
    trained_size: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    split: str
    median_ms: float
    best: bool


def place_points(measured: Sequence[tuple[Bundle, float]]) -> list[Point]:
    """The points of bundles and their median milliseconds, smallest image first.

    Raises:
        BadInput: they were not all judged on the same photos.
    """
    verdicts = {bundle.manifest.name: bundle.manifest.parity for bundle, _ in measured}
    if len({(verdict.split, verdict.images) for verdict in verdicts.values()}) > 1:
        judged = (f"{name} on {each.images} of {each.split}" for name, each in verdicts.items())
        raise BadInput(
            f"judged on different photos: {', '.join(judged)}; convert with the same --splits"
        )
    points = []
    for bundle, milliseconds in measured:
        parity = bundle.manifest.parity
        beaten = any(
            other_ms < milliseconds
            and other.manifest.parity.accuracy_quantized >= parity.accuracy_quantized
            for other, other_ms in measured
        )
        low, high = parity.accuracy_quantized_interval
        size, name = bundle.manifest.input.size, bundle.manifest.name
        accuracy = parity.accuracy_quantized
        points.append(
            Point(
                *(name, size, int(bundle.manifest.training.get("trained_size", size))),
                *(accuracy, low, high, parity.split, round(milliseconds, 2), not beaten),
            )
        )
    return sorted(points, key=lambda point: point.size)


def choose(points: Sequence[Point]) -> Point:
    """The fastest point whose accuracy no other is surely above: the intervals still meet.

    On a few hundred photos a size may be better by chance; milliseconds are certain.
    """
    surest = max(point.accuracy_low for point in points)
    return min(
        (point for point in points if point.accuracy_high >= surest),
        key=lambda point: point.median_ms,
    )


def draw(points: Sequence[Point], chosen: Point, path: Path) -> None:
    """Draw the curve as PNG or SVG."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    below = [100 * (point.accuracy - point.accuracy_low) for point in points]
    above = [100 * (point.accuracy_high - point.accuracy) for point in points]
    times = [point.median_ms for point in points]
    accuracies = [100 * point.accuracy for point in points]
    axes.errorbar(times, accuracies, yerr=[below, above], marker="o", capsize=4, color="#1f7a4d")
    for point in points:
        said = f"{point.size} px{_mark(point)}" + (" (chosen)" if point is chosen else "")
        spot = (point.median_ms, 100 * point.accuracy)
        axes.annotate(said, spot, textcoords="offset points", xytext=(8, 6))
    axes.set_xlabel("one inference, ms")
    axes.set_ylabel(f"accuracy, % ({points[0].split}, 95 %)")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _mark(point: Point) -> str:
    """Said of a point whose weights were trained at another size."""
    return "" if point.size == point.trained_size else f" (weights of {point.trained_size} px)"


def main(
    bundles: Annotated[list[Path], typer.Option(help="a bundle of each size; repeatable")],
    out: Annotated[Path, typer.Option(help="picture of the curve, .png or .svg")],
    threads: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Annotated[int, typer.Option(min=5, help="turns to time, of two inferences")] = 50,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Draw accuracy over latency by image size. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(out):
        if out.suffix not in (".png", ".svg"):
            raise BadInput(f"{out}: must end in .png or .svg")
        proved = [verify(path, threads=threads).require() for path in bundles]
        loaded = [bundle for bundle, _ in proved]
        times = median_in_turns([classifier for _, classifier in proved], rounds)
        points = place_points(list(zip(loaded, times, strict=True)))
        chosen = choose(points)
        out.parent.mkdir(parents=True, exist_ok=True)
        draw(points, chosen, out)
        if as_json:
            print_json({"points": [asdict(point) for point in points], "chosen": chosen.size})
            return
        for point in points:
            mark = "*" if point is chosen else " "
            results.print(
                f"{mark} {point.size:4} px  {point.accuracy:.2%} ({point.accuracy_low:.2%} to "
                f"{point.accuracy_high:.2%})  {point.median_ms:7.2f} ms{_mark(point)}"
            )
        results.print(f"* the fastest that no other is surely more accurate than; drawn: {out}")


if __name__ == "__main__":
    typer.run(main)
