"""The parity gate on damaged, badly calibrated and badly quantized models of a tiny run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from convert import quantize as command
from convert.proof.calibration_images import calibration_images
from convert.quantize import ConversionOptions, ConversionResult, quantize
from convert.tflite.layers import FusedLayer, LayerSqnr, fewest_float_layers, rank_layers
from edge.bundle.bundle import load_bundle, sha256
from edge.bundle.manifest import ParityGate
from edge.bundle.verify import verify
from edge.errors import BadInput
from tests.support.bundles import reseal
from tests.support.drawn import LABELS, SIZE
from tests.support.training import fit, write_run

ROOT = Path(__file__).parents[2]


def converted(run: Path, data: Path, out: Path, **changes: object) -> ConversionResult:
    request = ConversionOptions(run, (data,), out, **{"calibration": 40, **changes})
    return quantize(request)


@pytest.fixture(scope="module")
def exploding_run(
    tiny_run: Path, drawn_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny run, one channel between two layers a hundred thousand times larger and back.

    In float nothing changes; 8 bits that reach so far leave nothing of the other channels.
    """
    import keras

    model = keras.models.load_model(tiny_run / "model.keras")
    *_, maker, reader = (each for each in model.layers if isinstance(each, keras.layers.Conv2D))
    kernel, bias = maker.get_weights()
    channel = int(np.argmax(np.abs(kernel).sum(axis=(0, 1, 2))))
    kernel[..., channel] *= 1e5
    bias[channel] *= 1e5
    maker.set_weights([kernel, bias])
    kernel, bias = reader.get_weights()
    kernel[:, :, channel] /= 1e5
    reader.set_weights([kernel, bias])
    run = tmp_path_factory.mktemp("runs") / "exploding"
    run.mkdir()
    write_run(run, model, drawn_data)
    return run


@pytest.mark.slow
def test_the_fewest_layers_in_float_repair_what_int8_breaks(
    exploding_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    import keras

    out = tmp_path / "repaired"
    result = converted(exploding_run, drawn_data, out, keep_float=True, equalize=False)
    plain, repaired = result.rows
    assert (plain.variant, plain.gate) == ("int8", "refused") and plain.agreement < 0.9
    assert (repaired.variant, repaired.gate) == ("int8+float", "passed")
    assert repaired.megabytes > plain.megabytes  # what it costs
    # The maker and the reader of the huge channel, and no other: the last two convolutions, whose
    # names say how many this process has made before.
    model = keras.models.load_model(exploding_run / "model.keras")
    convolutions = [each.name for each in model.layers if isinstance(each, keras.layers.Conv2D)]
    layers = {each.layer.name: each for each in result.layers}
    kept = [layers[name] for name in result.chosen.float_layers]
    assert all(each.sqnr_db < 3 for each in kept)
    named = {each.layer.short_name.split("/")[0].rpartition("_")[0] for each in kept}
    assert named == set(convolutions[-2:])

    found = verify(out, threads=1)
    assert found.ok and len(found.bundle.manifest.float_layers) == 2
    # The map reads what the last convolution writes, so it stays in float with it.
    assert found.bundle.manifest.activation_map.correlation > 0.99
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    assert found.classifier.run(pixels, ["activation_map"])["activation_map"].dtype == np.float32
    assert "in all but 2 layers" in (out / "model_card.md").read_text()


@pytest.mark.slow
def test_equalization_repairs_what_int8_breaks(
    exploding_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    (row,) = converted(exploding_run, drawn_data, tmp_path / "equalized").rows
    assert (row.variant, row.gate) == ("int8", "passed") and row.agreement > 0.9


def test_the_search_finds_the_fewest_layers_in_few_tries() -> None:
    ranked = [LayerSqnr(FusedLayer(f"layer{n}", ()), float(n)) for n in range(50)]
    tries: list[int] = []

    def passes(names) -> bool:
        tries.append(len(names))
        return {"layer3", "layer17"} <= set(names)

    assert set(fewest_float_layers(ranked, passes)) == {"layer3", "layer17"}
    assert len(tries) < 30
    assert fewest_float_layers(ranked, lambda names: False) is None
    assert fewest_float_layers(ranked, lambda names: True) == ("layer0",)


def test_a_layers_sqnr_is_the_lowest_of_its_output_and_its_inputs() -> None:
    first, second, third = (
        FusedLayer("a", ("image",)),
        FusedLayer("b", ("a",)),
        FusedLayer("c", ("b",)),
    )
    ranked = rank_layers([first, second, third], {"a": 30.0, "b": 1.0, "c": 20.0})
    assert [(each.layer.name, each.sqnr_db) for each in ranked] == [
        ("b", 1.0),
        ("c", 1.0),
        ("a", 30.0),
    ]


@pytest.mark.slow
def test_two_conversions_are_the_same_bytes(
    tiny_run: Path, tiny_bundle: Path, drawn_data: Path, tmp_path: Path
) -> None:
    again = tmp_path / tiny_bundle.name
    converted(tiny_run, drawn_data, again)
    manifests = []
    for bundle in (tiny_bundle, again):
        manifest = json.loads((bundle / "manifest.json").read_text())
        manifest.pop("created")
        manifests.append(manifest)
    assert manifests[0] == manifests[1]
    for name in manifests[0]["files"]:
        assert (tiny_bundle / name).read_bytes() == (again / name).read_bytes(), name


def test_the_time_may_be_given_for_a_bundle_that_is_the_same_to_the_last_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert command._now().isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.slow
def test_killed_at_any_time_a_conversion_leaves_no_bundle_or_a_whole_one(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["--run", tiny_run, "--data", drawn_data, "--out", out, "--calibration", 40]
    typed = [sys.executable, ROOT / "convert" / "quantize.py", *arguments]

    def start() -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen([*map(str, typed)], env=environment, stderr=subprocess.DEVNULL)

    started = time.monotonic()
    assert start().wait() == 0
    whole = time.monotonic() - started
    shutil.rmtree(out)
    found = []
    for share in (0.2, 0.6, 0.8, 0.9, 0.95, 1.0, 1.05):
        shutil.rmtree(out, ignore_errors=True)
        process = start()
        time.sleep(share * whole)
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            found.append(load_bundle(out).manifest.name)
        except BadInput:
            found.append("none")
            assert not out.exists()
    assert set(found) <= {"none", "out"} and found[0] == "none"
    assert start().wait() == 0 and load_bundle(out).manifest.name == "out"


@pytest.fixture(scope="module")
def biasless_run(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model has activations for black that are 1/256 of those for white, in all layers.

    That holds for any weights. In the tiny run, black is as far from 0 as white: ranges of black
    images are sufficient after some trainings and too small after others.
    """
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 64, offset=118 / 64)(image)
    for filters, size in ((24, 5), (64, 3), (96, 3)):
        x = keras.layers.Conv2D(filters, size, strides=2, activation="relu", use_bias=False)(x)
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    logits = keras.layers.Dense(len(LABELS), name="logits", use_bias=False)(embedding)
    model = keras.Model(image, keras.layers.Softmax(name="probabilities")(logits))
    fit(model, drawn_data, epochs=40)
    run = tmp_path_factory.mktemp("runs") / "biasless"
    run.mkdir()
    write_run(run, model, drawn_data)
    return run


@pytest.mark.slow
def test_calibrated_on_black_images(
    biasless_run: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = converted(biasless_run, drawn_data, tmp_path / "sound").chosen.parity
    assert sound.drift.kl < ParityGate().kl

    def black(*given, **named):
        return np.zeros_like(calibration_images(*given, **named))

    monkeypatch.setattr(command, "calibration_images", black)
    result = converted(biasless_run, drawn_data, tmp_path / "out")
    refused_by_the_gate(result, "nats off Keras")
    assert result.rows[0].agreement < 0.5  # by chance it is a quarter


def test_calibrated_on_one_class(tiny_run: Path, drawn_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(drawn_data / "test", data / "test")
    shutil.copytree(drawn_data / "train" / "Battery", data / "train" / "Battery")
    with pytest.raises(BadInput, match="no photo of Keyboard, PCB, Washing Machine among the"):
        converted(tiny_run, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_shuffled_before_the_conversion(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    config["labels"] = [config["labels"][place] for place in (2, 0, 3, 1)]
    (run / "config.json").write_text(json.dumps(config))
    refused_by_the_gate(converted(run, drawn_data, tmp_path / "out"), "labels, photos or ways of")


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["colors", "resize"])
def test_another_preprocessing_than_in_training(
    tiny_run: Path,
    drawn_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
) -> None:
    real = command.model_input

    def wrong(image: np.ndarray, size: int) -> np.ndarray:
        if damage == "colors":
            return real(image, size)[:, :, ::-1]
        return real(image[: image.shape[0] // 2, : image.shape[1] // 2], size)

    monkeypatch.setattr(command, "model_input", wrong)
    result = converted(tiny_run, drawn_data, tmp_path / "out")
    refused_by_the_gate(result, "another class than in its training run")


def test_a_flipped_bit_in_the_weights(tiny_bundle: Path, tmp_path: Path) -> None:
    from convert.tflite.flatbuffer import read_model

    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    model = bundle / "model.tflite"
    content = bytearray(model.read_bytes())
    buffers = read_model(bytes(content)).buffers
    weights = max((each.data.tobytes() for each in buffers if each.data is not None), key=len)
    content[bytes(content).index(weights) + len(weights) // 2] ^= 0x80
    model.write_bytes(content)
    found = verify(bundle, threads=1)
    assert (
        found.checks[-1].name == "digests" and "model.tflite: altered" in found.checks[-1].message
    )


@pytest.mark.slow
def test_golden_outputs_of_another_model(
    tiny_run: Path, tiny_bundle: Path, drawn_data: Path, tmp_path: Path
) -> None:
    import keras

    model = keras.models.load_model(tiny_run / "model.keras")
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.roll(kernel, 1, axis=1), np.roll(bias, 1)])
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    write_run(run, model, drawn_data)
    lenient = ParityGate(training_drop=1.0)
    assert converted(run, drawn_data, other, gate=lenient).bundle is not None
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    shutil.copyfile(other / "golden.npz", bundle / "golden.npz")
    assert verify(bundle).checks[-1].name == "digests"
    reseal(bundle)
    found = verify(bundle, threads=1)
    assert not found.ok and found.checks[-1].name == "golden outputs"
    assert sha256((bundle / "golden.npz").read_bytes()) == found.bundle.manifest.files["golden.npz"]


def refused_by_the_gate(result: ConversionResult, reason: str) -> None:
    assert result.bundle is None and result.chosen.failed
    assert any(reason in line for line in result.chosen.failed), result.chosen.failed
