"""The model card: what a person should know before trusting a bundle."""

from collections.abc import Sequence

from convert.proof.run import Run
from edge.bundle.manifest import DatasetParity, Manifest

CARD = """\
# {name}

An 8-bit ResNet50 that names the electronic waste in a picture, for sorting on a conveyor belt with
ewaste-edge.

## What it is

- Classes: {labels}.
- Input: one picture, uint8 [1, {size}, {size}, 3], raw RGB; pad to a square by repeating the
  border, then resize (`edge/inference/preprocess.py`). ImageNet's normalization is folded into the
  first layer.
- Outputs: `logits` int8 [1, {classes}] and `embedding` int8 [1, features]. Softmax of the logits at
  temperature {temperature:g} gives the probabilities.
- {decided}
- Weights and activations are 8-bit integers {extent}; ranges from {calibration} training photos
  (seed {calibration_seed}), quantized by {quantizer}.

## What it was trained on

Fine-tuned from {weights} on the photos of {data} (seed {training_seed}). The photos are not part of
the bundle; those it was calibrated and compared with are known by a SHA-256 over all of them,
`{dataset}`.

Figures of the training run:

{training}

## What quantizing cost

Compared on {images} photos of the {split} split, with the device's own code. Intervals are Wilson's
at 95 %.

| | Keras, float | this model, 8 bits |
|---|---|---|
| accuracy | {accuracy_float:.2%} ({float_low:.2%} to {float_high:.2%}) | {accuracy_quantized:.2%} \
({quantized_low:.2%} to {quantized_high:.2%}) |

| dataset | photos | float | 8 bits | same answer |
|---|---|---|---|---|
{datasets}

- The same top answer on {agreement:.2%} of the photos; accuracy changes by {change:+.2f} points
  (paired 95 %: {change_low:+.2f} to {change_high:+.2f}).
- The calibration error goes from {ece_float:.2%} to {ece_quantized:.2%}; the score that tells
  unknown things ({unknown_score}) changes by {unknown_max:.3f} at most.
- Most images of one class lost: {lost}.
- Probabilities differ by {max_difference:.3f} at most and {mean_difference:.4f} on average.

## Limits

- It knows the classes above and nothing else. What is not among them is not always noticed.
- The accuracy is that on photos like those it was trained on. On another camera, light or
  background it may be much lower: collect photos of your own line, and judge and train on those.
- One photo of {images} is {step:.2f} points; differences smaller than the intervals mean little.
- It does not replace the safety rules for hazardous waste, batteries above all.

## License

The license of ewaste-edge covers this model and this card. Photos and pretrained weights it was
made from stay under their owners' terms.
"""


def write_card(manifest: Manifest, run: Run) -> str:
    """The text of `model_card.md`, Markdown."""
    parity = manifest.parity
    return CARD.format(
        name=manifest.name,
        labels=", ".join(manifest.labels),
        size=manifest.input.size,
        classes=len(manifest.labels),
        temperature=manifest.temperature,
        decided=_decided(manifest),
        calibration=manifest.calibration.images,
        extent=_extent(manifest.float_layers),
        quantizer=manifest.calibration.quantizer,
        calibration_seed=manifest.calibration.seed,
        weights=_start(run.weights),
        data=" and ".join(run.data),
        training_seed=run.seed,
        dataset=manifest.dataset,
        training=_table(sorted(manifest.training.items())),
        images=parity.images,
        split=parity.split,
        accuracy_float=parity.accuracy_float,
        float_low=parity.accuracy_float_interval[0],
        float_high=parity.accuracy_float_interval[1],
        accuracy_quantized=parity.accuracy_quantized,
        quantized_low=parity.accuracy_quantized_interval[0],
        quantized_high=parity.accuracy_quantized_interval[1],
        agreement=parity.agreement,
        change=-parity.accuracy_drop * 100,
        change_low=-parity.accuracy_drop_interval[1] * 100,
        change_high=-parity.accuracy_drop_interval[0] * 100,
        datasets="\n".join(_dataset_row(*entry) for entry in parity.datasets.items()),
        max_difference=parity.max_probability_difference,
        mean_difference=parity.mean_probability_difference,
        ece_float=parity.drift.ece_float,
        ece_quantized=parity.drift.ece_quantized,
        unknown_score=parity.drift.unknown_score,
        unknown_max=parity.drift.unknown_max,
        lost=max((figures.lost for figures in parity.classes.values()), default=0),
        step=100 / parity.images,
    )


def _decided(manifest: Manifest) -> str:
    """How answers become decisions, in one paragraph."""
    least = ", ".join(f"{label} {value:.0%}" for label, value in manifest.threshold_of.items())
    said = f"Under its label's threshold the item counts as unknown ({least})"
    rule = manifest.unknown
    if rule is not None:
        said += f", and under {rule.threshold:.3g} by the score {rule.score}"
    hazards = [
        f"{hazard}, suspected from {value:.2%} on"
        for hazard, value in manifest.hazard_threshold_of.items()
    ]
    said += f". Hazards: {'; '.join(hazards) or 'none'}."
    trained = manifest.training.get("trained_size", manifest.input.size)
    if trained != manifest.input.size:
        said += f" All of this was fitted, and the weights were trained, at {trained} px."
    return said


def _dataset_row(name: str, figures: DatasetParity) -> str:
    accuracies = [
        f"{value:.2%} ({low:.2%} to {high:.2%})"
        for value, (low, high) in (
            (figures.accuracy_float, figures.accuracy_float_interval),
            (figures.accuracy_quantized, figures.accuracy_quantized_interval),
        )
    ]
    return f"| {name} | {figures.images} | {' | '.join(accuracies)} | {figures.agreement:.2%} |"


def _extent(float_layers: Sequence[str]) -> str:
    if not float_layers:
        return "throughout"
    return f"in all but {len(float_layers)} layers ({', '.join(float_layers)}), which stay float"


def _start(weights: str) -> str:
    named = {"none": "random weights", "imagenet": "the ImageNet weights of keras.applications"}
    return named.get(weights, f"`{weights}`")


def _table(figures: Sequence[tuple[str, object]]) -> str:
    rows = [f"| {name} | {_shown(figure)} |" for name, figure in figures]
    return "\n".join(["| figure | value |", "|---|---|", *rows])


def _shown(figure: object) -> str:
    return f"{figure:.4g}" if isinstance(figure, float) else str(figure)
