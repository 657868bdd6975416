"""The model card: what a reader should know before trusting a bundle."""

from collections.abc import Sequence

from convert.run import Run
from edge.bundle.manifest import DatasetParity, Manifest

CARD = """\
# {name}

An 8-bit {network} that classifies electronic waste in an image, for sorting on a conveyor belt with
ewaste-edge.

## What it is

- Classes: {labels}.
- Input: one image, uint8 [1, {size}, {size}, 3], raw RGB. Pad to a square by repeating
  the border, then resize (`edge/inference/preprocess.py`). {normalization}
- Outputs: `logits` int8 [1, {classes}] and `embedding` int8 [1, features]. The softmax of the
  logits at temperature {temperature:g} gives the probabilities.
- {activation}
- {decided}
- Weights and activations are 8-bit integers {extent}; calibrated on {calibration} training
  photos (seed {calibration_seed}), quantized by {quantizer}.

## Training data

{origin} The photos are not part of
the bundle. The SHA-256 over all photos used for calibration and comparison is `{dataset}`.

Metrics of the training run:

{training}

## Effect of quantization

Compared on {images} photos of the {split} split, with the code that runs on the device. Intervals
are Wilson 95 % intervals.

| | Keras, float | this model, 8-bit |
|---|---|---|
| accuracy | {accuracy_float:.2%} ({float_low:.2%} to {float_high:.2%}) | {accuracy_quantized:.2%} \
({quantized_low:.2%} to {quantized_high:.2%}) |

| dataset | photos | float | 8-bit | agreement |
|---|---|---|---|---|
{datasets}

- Agreement: both models predict the same class on {agreement:.2%} of the photos. Accuracy changes
  by {change:+.2f} points (paired 95 %: {change_low:+.2f} to {change_high:+.2f}).
- The expected calibration error changes from {ece_float:.2%} to {ece_quantized:.2%}. The score that
  detects out-of-distribution things ({unknown_score}) changes by {unknown_max:.3f} at most.
- Largest number of photos of one class that only the float model classifies correctly: {lost}.
- Probabilities differ by {max_difference:.3f} at most and {mean_difference:.4f} on average.

## Limits

- It knows only the classes above. It does not detect every thing of another class.
- The accuracy was measured on photos like those of the training. With another camera, light or
  background it may be much lower: collect photos of your own line, then evaluate and train on them.
- One photo of {images} is {step:.2f} points; differences smaller than the intervals mean little.
- It does not replace the safety rules for hazardous waste, batteries above all.

## License

The license of ewaste-edge covers this model and this card. The photos and the pretrained weights
remain under the terms of their owners.
"""


def write_card(manifest: Manifest, run: Run) -> str:
    """The text of `model_card.md`, Markdown.

    Args:
        manifest: the manifest of the bundle, with a complete parity verdict.
        run: the training run.
    """
    parity = manifest.parity
    drop, drift = parity.accuracy_drop_interval, parity.drift
    if drop is None or drift is None:  # only in bundles of an older format
        raise ValueError("the parity verdict has no paired interval or no drift")
    return CARD.format(
        name=manifest.name,
        labels=", ".join(manifest.labels),
        size=manifest.input.size,
        classes=len(manifest.labels),
        temperature=manifest.temperature,
        activation=_activation(manifest),
        decided=_decided(manifest),
        calibration=manifest.calibration.images,
        extent=_extent(manifest.float_layers),
        quantizer=manifest.calibration.quantizer,
        calibration_seed=manifest.calibration.seed,
        **_origin(run),
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
        change_low=-drop[1] * 100,
        change_high=-drop[0] * 100,
        datasets="\n".join(_dataset_row(*entry) for entry in parity.datasets.items()),
        max_difference=parity.max_probability_difference,
        mean_difference=parity.mean_probability_difference,
        ece_float=drift.ece_float,
        ece_quantized=drift.ece_quantized,
        unknown_score=drift.unknown_score,
        unknown_max=drift.unknown_max,
        lost=max((figures.lost for figures in parity.classes.values()), default=0),
        step=100 / parity.images,
    )


def _origin(run: Run) -> dict[str, str]:
    """What the network is, how it takes pictures, and where its weights come from."""
    data = " and ".join(run.data)
    imported = run.figures.get("imported_from")
    if imported is None:
        return {
            "network": "ResNet50",
            "normalization": "The ImageNet normalization is folded\n  into the first layer.",
            "origin": f"Fine-tuned from {_initial_weights(run.weights)} on the photos of {data} "
            f"(seed {run.seed}).",
        }
    folded = run.figures.get("preprocessing_folded") is True
    where = "is part of the first convolution" if folded else "is the first layer"
    return {
        "network": "network",
        "normalization": f"The preprocessing\n  `{run.figures.get('preprocessing')}` {where}.",
        "origin": f"Trained elsewhere and imported from `{imported}`. Its temperature, thresholds, "
        f"and detector were fitted\non the photos of {data}.",
    }


def _activation(manifest: Manifest) -> str:
    """Whether the model tells where it looked, in one line."""
    declared = manifest.activation_map
    if declared is None:
        return "It does not tell where it looked: there is no activation map."
    return (
        f"`activation_map` [1, {declared.height}, {declared.width}, {len(manifest.labels)}] tells "
        f"what each place says for each class. Its correlation\n  with the float model's map is "
        f"{declared.correlation:.3f} (median)."
    )


def _decided(manifest: Manifest) -> str:
    """How predictions become decisions, in one paragraph."""
    thresholds = ", ".join(f"{label} {value:.0%}" for label, value in manifest.threshold_of.items())
    text = f"An item below the threshold of its label is unknown ({thresholds})"
    rule = manifest.unknown
    if rule is not None:
        text += f", and so is one whose {rule.score} score is below {rule.threshold:.3g}"
    hazards = [
        f"{hazard}, suspected at a probability of {value:.2%} or more"
        for hazard, value in manifest.hazard_threshold_of.items()
    ]
    text += f". Hazards: {'; '.join(hazards) or 'none'}."
    trained = manifest.training.get("trained_size", manifest.input.size)
    if trained != manifest.input.size:
        text += f" The thresholds were fitted, and the weights were trained, at {trained} px."
    return text


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
    return f"in all but {len(float_layers)} layers ({', '.join(float_layers)}), which stay in float"


def _initial_weights(weights: str) -> str:
    named = {"none": "random weights", "imagenet": "the ImageNet weights of keras.applications"}
    return named.get(weights, f"`{weights}`")


def _table(figures: Sequence[tuple[str, object]]) -> str:
    rows = [f"| {name} | {_format(figure)} |" for name, figure in figures]
    return "\n".join(["| metric | value |", "|---|---|", *rows])


def _format(figure: object) -> str:
    return f"{figure:.4g}" if isinstance(figure, float) else str(figure)
