"""Plot accuracy over latency by input size: python convert/sizes.py --bundles DIR --out curve.png

The curve shows what a larger input gains. It is most meaningful for bundles that were each trained
at their own size. Weights converted for another size (`convert/quantize.py --image-size`) need no
training and are marked.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from convert.proof.timing import interleaved_median_ms
from edge.bundle.bundle import Bundle
from edge.bundle.verify import verify
from edge.errors import BadInput
from edge.terminal import out as results
from train.command import command, print_json


@dataclass(frozen=True)
class SizePoint:
    """One bundle on the curve.

    Attributes:
        bundle: its name.
        size: height and width of its input, px.
        trained_size: input size in training, px.
        accuracy, accuracy_low, accuracy_high: accuracy of the quantized model and its Wilson 95 %
            interval, from the parity verdict, 0 to 1.
        split: the split that it was measured on.
        median_ms: median latency of one inference on this machine, measured in turns.
        pareto_optimal: whether no other point is both faster and at least as accurate.
    """

    bundle: str
    size: int
    trained_size: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    split: str
    median_ms: float
    pareto_optimal: bool


def place_points(measured: Sequence[tuple[Bundle, float]]) -> list[SizePoint]:
    """The points of the curve, smallest input first.

    Args:
        measured: each bundle and the median latency of its model, milliseconds.

    Raises:
        BadInput: the bundles were not compared on the same photos.
    """
    verdicts = {bundle.manifest.name: bundle.manifest.parity for bundle, _ in measured}
    if len({(verdict.split, verdict.images) for verdict in verdicts.values()}) > 1:
        compared = (f"{name} on {each.images} of {each.split}" for name, each in verdicts.items())
        raise BadInput(
            f"compared on different photos: {', '.join(compared)}; convert with the same --splits"
        )
    points = []
    for bundle, milliseconds in measured:
        parity = bundle.manifest.parity
        dominated = any(
            other_ms < milliseconds
            and other.manifest.parity.accuracy_quantized >= parity.accuracy_quantized
            for other, other_ms in measured
        )
        low, high = parity.accuracy_quantized_interval
        size = bundle.manifest.input.size
        points.append(
            SizePoint(
                bundle=bundle.manifest.name,
                size=size,
                trained_size=int(bundle.manifest.training.get("trained_size", size)),
                accuracy=parity.accuracy_quantized,
                accuracy_low=low,
                accuracy_high=high,
                split=parity.split,
                median_ms=round(milliseconds, 2),
                pareto_optimal=not dominated,
            )
        )
    return sorted(points, key=lambda point: point.size)


def choose(points: Sequence[SizePoint]) -> SizePoint:
    """The fastest point whose interval still reaches the highest lower bound of all intervals.

    On a few hundred photos a larger size may be more accurate by chance; its latency is certain.
    """
    highest_low = max(point.accuracy_low for point in points)
    return min(
        (point for point in points if point.accuracy_high >= highest_low),
        key=lambda point: point.median_ms,
    )


def draw(points: Sequence[SizePoint], chosen: SizePoint, path: Path) -> None:
    """Draw the curve to a PNG or SVG file."""
    import matplotlib  # takes a second, which `--help` can do without

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    below = [100 * (point.accuracy - point.accuracy_low) for point in points]
    above = [100 * (point.accuracy_high - point.accuracy) for point in points]
    times = [point.median_ms for point in points]
    accuracies = [100 * point.accuracy for point in points]
    axes.errorbar(times, accuracies, yerr=[below, above], marker="o", capsize=4, color="#1f7a4d")
    for point in points:
        text = f"{point.size} px{_mark(point)}" + (" (chosen)" if point is chosen else "")
        position = (point.median_ms, 100 * point.accuracy)
        axes.annotate(text, position, textcoords="offset points", xytext=(8, 6))
    axes.set_xlabel("latency of an inference, ms")
    axes.set_ylabel(f"accuracy, % ({points[0].split}, 95 %)")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _mark(point: SizePoint) -> str:
    """The mark of a point whose weights were trained at another size."""
    return "" if point.size == point.trained_size else f" (weights of {point.trained_size} px)"


def main(
    *,
    bundles: Annotated[list[Path], typer.Option(help="directory of a bundle; repeatable")],
    out: Annotated[Path, typer.Option(help="image file of the curve, .png or .svg")],
    threads: Annotated[int, typer.Option(min=1, help="threads of an inference")] = 2,
    rounds: Annotated[int, typer.Option(min=5, help="timed turns of each bundle")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Plot accuracy over latency by input size.

    Exit codes: 0 done, 1 failed, 2 bad input, 3 refused.
    """
    with command(out):
        if out.suffix not in (".png", ".svg"):
            raise BadInput(f"{out}: must end in .png or .svg")
        proved = [verify(path, threads=threads).require() for path in bundles]
        loaded = [bundle for bundle, _ in proved]
        times = interleaved_median_ms([classifier for _, classifier in proved], rounds)
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
        results.print(
            f"* the fastest size that no other size is clearly more accurate than; curve: {out}"
        )


if __name__ == "__main__":
    typer.run(main)
