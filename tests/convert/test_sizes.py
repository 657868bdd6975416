"""Which image size is chosen, from made-up and from real bundles."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from convert.sizes import SizePoint, choose, main, place_points
from edge.bundle.bundle import load_bundle
from edge.errors import BadInput


def point(size: int, accuracy: float, milliseconds: float, spread: float = 0.01) -> SizePoint:
    low, high = accuracy - spread, accuracy + spread
    return SizePoint(
        bundle=f"b{size}",
        size=size,
        trained_size=size,
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
        split="val+test",
        median_ms=milliseconds,
        pareto_optimal=True,
    )


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [((0.90, 0.95, 0.96, 0.965), 160), ((0.96, 0.96, 0.96, 0.96), 128), ((0.8, 0.85, 0.9, 1), 224)],
)
def test_the_fastest_that_none_is_surely_better_than(
    accuracies: tuple[float, ...], chosen: int
) -> None:
    sizes = (128, 160, 192, 224)
    points = [point(s, a, s / 10) for s, a in zip(sizes, accuracies, strict=True)]
    assert choose(points).size == chosen


def test_weights_of_another_size_are_known_as_such(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    manifest = bundle.manifest.model_copy(update={"training": {"trained_size": 160}})
    (own,) = place_points([(bundle, 5.0)])
    (other,) = place_points([(replace(bundle, manifest=manifest), 5.0)])
    assert (own.size, own.trained_size, other.trained_size) == (48, 48, 160)


def test_accuracies_on_different_photos_are_not_compared(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    parity = bundle.manifest.parity.model_copy(update={"split": "val"})
    manifest = bundle.manifest.model_copy(update={"parity": parity, "name": "other"})
    with pytest.raises(BadInput, match="tiny-int8 on 64 of test, other on 64 of val"):
        place_points([(bundle, 5.0), (replace(bundle, manifest=manifest), 6.0)])


def test_the_command_draws_the_curve(tiny_bundle: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    curve = tmp_path / "curve.png"
    bundle = ("--bundles", str(tiny_bundle))
    arguments = [*bundle, *bundle, "--out", str(curve), "--rounds", "5", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["chosen"] == 48 and len(answer["points"]) == 2
    assert curve.read_bytes().startswith(b"\x89PNG")
    bad = CliRunner().invoke(app, [*bundle, "--out", str(tmp_path / "curve.txt")])
    assert bad.exit_code == 2
