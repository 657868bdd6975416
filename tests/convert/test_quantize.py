"""Conversions of a tiny run through the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from convert.proof.dataset import fingerprint, stratify
from convert.proof.golden import draw_input
from convert.quantize import ConversionOptions, main, quantize
from edge.bundle.bundle import load_bundle, open_classifier
from edge.bundle.golden import verify_golden
from edge.bundle.manifest import DecisionParameters, ParityGate
from edge.bundle.signature import make_key
from edge.bundle.verify import verify
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.ood import OodDetector, OodRule
from edge.inference.tflite import load_runtime
from edge.photos.dataset import find_photos
from edge.photos.reading import LabeledPhoto
from tests.support.drawn import LABELS, SIZE
from tests.support.training import load_split, write_run
from train.evaluation.calibration import write_calibration

app = typer.Typer()
app.command()(main)


def command(run: Path, data: list[Path], out: Path, *options: str) -> Result:
    given = [part for folder in data for part in ("--data", str(folder))]
    return CliRunner().invoke(app, ["--run", str(run), *given, "--out", str(out), *options])


@pytest.fixture
def data_copy(drawn_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn_data, tmp_path / "data"))


@pytest.fixture(scope="session")
def corrupted_run(
    tiny_run: Path, drawn_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny run, but one class gets a logit of about -10000: float has no trouble with it, while
    8 bits that reach so far cannot hold the differences of the other logits any more."""
    import keras

    model = keras.models.load_model(tiny_run / "model.keras")
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, bias - 10_000 * (np.arange(len(LABELS)) == 3)])
    run = tmp_path_factory.mktemp("runs") / "corrupted"
    run.mkdir()
    write_run(run, model, drawn_data)
    return run


def test_the_quantized_model_takes_raw_rgb_and_predicts_as_keras(
    tiny_bundle: Path, tiny_run: Path, drawn_data: Path
) -> None:
    import keras

    from edge.inference.preprocess import float_input

    interpreter = load_runtime().Interpreter(str(tiny_bundle / "model.tflite"))
    (details,) = interpreter.get_input_details()
    assert (details["dtype"], details["quantization"]) == (np.uint8, (1.0, 117))
    assert details["shape"].tolist() == [1, SIZE, SIZE, 3]
    assert {output["dtype"] for output in interpreter.get_output_details()} == {np.int8}
    assert interpreter.get_signature_list() == {
        "serving_default": {
            "inputs": ["image"],
            "outputs": ["activation_map", "embedding", "logits"],
        }
    }

    pixels, classes = load_split(drawn_data / "test")
    model = keras.models.load_model(tiny_run / "model.keras")
    expected = model.predict(float_input(pixels), verbose=0)
    classifier = open_classifier(load_bundle(tiny_bundle), threads=1)
    answers = np.stack([classifier.predict_input(image).probabilities for image in pixels])
    agreement = (answers.argmax(axis=1) == expected.argmax(axis=1)).mean()
    parity = load_bundle(tiny_bundle).manifest.parity
    assert agreement == parity.agreement >= 0.99
    assert (answers.argmax(axis=1) == classes).mean() == parity.accuracy_quantized > 0.8
    assert np.abs(answers - expected).max() == pytest.approx(
        parity.max_probability_difference, abs=1e-5
    )


def test_the_map_of_the_bundle_is_that_of_keras(
    tiny_bundle: Path, tiny_run: Path, drawn_data: Path
) -> None:
    from train.evaluation.predictor import open_predictor

    manifest = load_bundle(tiny_bundle).manifest
    declared = manifest.activation_map
    assert (declared.height, declared.width) == (5, 5) and declared.correlation >= 0.9
    bundle, run = open_predictor(tiny_bundle, threads=1), open_predictor(tiny_run, threads=1)
    pixels, _ = load_split(drawn_data / "test")
    found = []
    for image, logits in zip(pixels[::4], run.answer(pixels[::4]).logits, strict=True):
        best = int(logits.argmax())
        exact, quantized = (each.activation(image, best) for each in (run, bundle))
        assert exact.shape == quantized.shape == (5, 5) and quantized.max() == pytest.approx(1)
        if exact.std() > 0:
            found.append(np.corrcoef(exact.ravel(), quantized.ravel())[0, 1])
    assert len(found) >= 12 and np.median(found) >= 0.9
    card = (tiny_bundle / "model_card.md").read_text()
    assert "`activation_map` [1, 5, 5, 4]" in card and f"{declared.correlation:.3f}" in card


def test_the_map_changes_no_answer_and_may_be_left_out(
    tiny_run: Path, tiny_bundle: Path, drawn_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "without"
    result = command(tiny_run, [drawn_data], out, "--calibration", "40", "--no-activation-map")
    assert result.exit_code == 0, result.stderr
    assert b"activation_map" not in (out / "manifest.json").read_bytes()
    plain, mapped = (open_classifier(load_bundle(path), threads=1) for path in (out, tiny_bundle))
    assert (plain.map_shape, mapped.map_shape) == (None, (5, 5))
    pixels, _ = load_split(drawn_data / "test")
    for image in pixels:
        before, after = plain.run(image), mapped.run(image)
        assert all(np.array_equal(before[name], after[name]) for name in before)


def test_the_command_writes_a_proved_bundle(
    tiny_run: Path, drawn_data: Path, data_copy: Path, tmp_path: Path
) -> None:
    (data_copy / "test" / "Battery" / "broken.jpg").write_bytes(b"no image")
    out = tmp_path / "models" / "two-sources"
    result = command(tiny_run, [drawn_data, data_copy], out, "--calibration", "40", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["variant"] == "int8" and figures["gate"] == "passed"
    assert figures["images"] == 2 * 64
    assert figures["agreement"] >= 0.99
    assert figures["activation_map"]["images"] > 0 and figures["activation_map"]["median"] >= 0.9
    assert {"accuracy_float", "accuracy_quantised"} <= set(figures)
    assert result.stderr.count("skipped ") == 1 and "broken.jpg" in result.stderr

    loaded = load_bundle(out)
    assert sorted(entry.name for entry in out.parent.iterdir()) == [
        "two-sources",
        "two-sources.parity.html",
        "two-sources.parity.json",
    ]
    assert verify_golden(loaded, open_classifier(loaded)).largest_difference == 0
    manifest = loaded.manifest
    assert (manifest.name, manifest.labels, manifest.hazards) == (
        "two-sources",
        LABELS,
        ("Battery",),
    )
    assert (manifest.calibration.images, manifest.calibration.seed) == (40, 0)
    trained = json.loads((tiny_run / "metrics.json").read_text())
    assert manifest.training == {"images": 64, "accuracy": trained["accuracy"]}
    assert manifest.dataset == fingerprint([drawn_data, data_copy])
    card = (out / "model_card.md").read_text()
    assert "Battery, Keyboard, PCB, Washing Machine" in card
    assert f"{figures['agreement']:.2%}" in card and str(tmp_path) not in card


def test_the_gate_refuses_a_model_that_quantizes_badly(
    corrupted_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "corrupted-int8"
    given = ("--calibration", "20", "--keep-float", "none", "--json")
    result = command(corrupted_run, [drawn_data], out, *given)
    assert result.exit_code == 3
    figures = json.loads(result.stdout)
    assert figures["gate"] == "refused" and figures["bundle"] is None
    assert figures["accuracy_float"] > 0.6
    assert "int8 agrees with Keras on" in result.stderr.replace("\n", " ")
    written = ["corrupted-int8.parity.html", "corrupted-int8.parity.json"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == written
    report = json.loads((tmp_path / "corrupted-int8.parity.json").read_text())
    changed = report["pairs"]["int8-keras"]["changed"]
    assert len(changed) == round((1 - figures["agreement"]) * 64) > 0
    assert all((drawn_data.parent / name).is_file() for name in changed)
    assert report["pairs"]["fp32-keras"]["agreement"] == 1.0
    assert report["failed"] == figures["failed"]
    page = (tmp_path / "corrupted-int8.parity.html").read_text()
    assert page.count("<figure>") == page.count('src="data:image/jpeg') == len(changed)
    assert "http" not in page and all(name in page for name in changed)


@pytest.mark.slow
def test_layers_that_8_bits_cannot_hold_stay_in_float(
    corrupted_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = command(corrupted_run, [drawn_data], out, "--calibration", "20", "--json")
    assert result.exit_code == 0, result.stderr
    figures, manifest = json.loads(result.stdout), load_bundle(out).manifest
    assert figures["gate"] == "passed" and manifest.parity.holds
    assert 1 <= len(manifest.float_layers) <= 4


def test_a_refusal_leaves_the_bundle_that_was_there(
    tiny_run: Path, tiny_bundle: Path, drawn_data: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(tiny_bundle, tmp_path / "out"))
    impossible = ParityGate(accuracy_drop=-1)
    request = ConversionOptions(tiny_run, (drawn_data,), out, calibration=40, gate=impossible)
    failed = quantize(request).chosen.failed
    assert len(failed) == 1 and "at most -100.00 allowed" in failed[0]
    assert load_bundle(out).digest == load_bundle(tiny_bundle).digest


def test_without_test_photos_val_is_compared_on_and_a_message_says_so(
    tiny_run: Path, data_copy: Path, tmp_path: Path
) -> None:
    (data_copy / "test").rename(data_copy / "val")
    result = command(tiny_run, [data_copy], tmp_path / "out", "--calibration", "40")
    assert "has no test split; comparing on val only" in result.stderr
    assert "of 64 val photos" in result.stdout


@pytest.mark.slow
def test_all_variants_are_in_one_table_and_their_models_are_written(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    out, models = tmp_path / "all", tmp_path / "models"
    options = ("--variants", "all", "--calibration", "40", "--slow-images", "8")
    result = command(tiny_run, [drawn_data], out, *options, "--models", str(models), "--json")
    assert result.exit_code == 0, result.stderr
    rows = {row["variant"]: row for row in json.loads(result.stdout)["rows"]}
    assert list(rows) == ["fp32", "fp16", "dynamic", "int8", "int16x8"]
    assert {name: row["images"] for name, row in rows.items()} == {
        **dict.fromkeys(rows, 64),
        "int16x8": 8,
    }
    assert "8 images only" in rows["int16x8"]["note"]
    assert all(row["gate"] == "passed" and row["median_ms"] > 0 for row in rows.values())
    assert rows["fp32"]["kl"] < 1e-6 < rows["int8"]["kl"]  # float32 rounds at 6e-8
    assert rows["int8"]["megabytes"] < rows["fp16"]["megabytes"] < rows["fp32"]["megabytes"]
    assert sorted(path.stem for path in models.iterdir()) == sorted(rows)
    assert (models / "int8.tflite").read_bytes() == (out / "model.tflite").read_bytes()


def test_without_int8_no_bundle_is_written(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    result = command(tiny_run, [drawn_data], tmp_path / "out", "--variants", "fp16")
    assert result.exit_code == 0, result.stderr
    assert "no bundle: only int8 becomes a bundle" in result.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_other_quantizer_makes_a_bundle_by_the_same_gate(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ai_edge_quantizer")
    out = tmp_path / "out"
    result = command(
        *(tiny_run, [drawn_data], out, "--quantizer", "ai-edge"),
        *("--variants", "dynamic,int8,int16x8", "--calibration", "40", "--json"),
    )
    assert result.exit_code == 0, result.stderr
    assert [row["gate"] for row in json.loads(result.stdout)["rows"]] == ["passed"] * 3
    loaded = load_bundle(out)
    assert verify_golden(loaded, open_classifier(loaded)).largest_difference == 0
    assert loaded.manifest.calibration.quantizer == "ai-edge"
    assert "ai-edge-quantizer" in loaded.manifest.versions
    assert loaded.manifest.activation_map.correlation >= 0.9


def test_the_metadata_hold_the_labels_and_the_normalization(tiny_bundle: Path) -> None:
    import zipfile

    from convert.tflite.flatbuffer import read_model

    content = (tiny_bundle / "model.tflite").read_bytes()
    model = read_model(content)
    (entry,) = (each for each in model.metadata if each.name == b"TFLITE_METADATA")
    metadata = model.buffers[entry.buffer].data.tobytes()
    assert metadata[4:8] == b"M001"
    assert np.float32(117).tobytes() in metadata and b"labels.txt" in metadata
    with zipfile.ZipFile(tiny_bundle / "model.tflite") as archive:
        assert archive.read("labels.txt") == (tiny_bundle / "labels.txt").read_bytes()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--variants", "int8,int7"),
        ("--splits", "nothing"),
        ("--quantizer", "own"),
        ("--keep-float", "all"),
    ],
)
def test_an_unknown_choice_is_bad_input(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, option: str, value: str
) -> None:
    result = command(tiny_run, [drawn_data], tmp_path / "out", option, value)
    assert result.exit_code == 2 and f"{option} " in result.stderr


@pytest.mark.slow
def test_the_bundle_has_the_calibration_and_the_detector_of_the_run(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    rule = OodRule(score="energy", threshold=1.5)
    parameters = DecisionParameters(
        labels=LABELS, hazards=("Battery",), temperature=2.0, thresholds={"PCB": 0.7}, unknown=rule
    )
    detector = OodDetector(rule, {"temperature": np.array(2.0, np.float32)})
    write_calibration(run, parameters, detector, {})
    key = tmp_path / "line.key"
    public = make_key(key)
    options = ("--calibration", "40", "--sign", str(key))
    result = command(run, [drawn_data], tmp_path / "out", *options, "--json")
    assert result.exit_code == 0, result.stderr
    assert "not calibrated" not in result.stderr
    assert json.loads(result.stdout)["drift"]["unknown_score"] == "energy"
    bundle, classifier = verify(tmp_path / "out", [public], threads=1).require()
    assert (bundle.manifest.thresholds, classifier.temperature) == ({"PCB": 0.7}, 2.0)
    assert bundle.detector.rule == rule


def corrupt(what: str, run: Path, data: Path, out: Path) -> None:
    if what in ("model.keras", "config.json", "metrics.json"):
        (run / what).unlink()
    elif what == "broken config":
        (run / "config.json").write_text('{"labels": ["Battery"]')
    elif what == "no labels":
        (run / "config.json").write_text('{"image_size": 48}')
    elif what == "broken metrics":
        (run / "metrics.json").write_text("[1]")
    elif what == "unknown class":
        (data / "test" / "Battery").rename(data / "test" / "Bathtub")
    elif what == "no train":
        shutil.rmtree(data / "train")
    elif what == "no test or val":
        shutil.rmtree(data / "test")
    elif what == "occupied out":
        out.mkdir()
        (out / "thesis.tex").write_text("mine")


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("model.keras", "model.keras: missing"),
        ("config.json", "config.json: missing"),
        ("metrics.json", "metrics.json: missing"),
        ("broken config", "config.json: the file: Invalid JSON"),
        ("no labels", "config.json: labels: Field required"),
        ("broken metrics", "metrics.json: not a JSON object"),
        ("unknown class", "test: the run has no class Bathtub"),
        ("no train", "train: no such folder"),
        ("no test or val", "has neither val/ nor test/"),
        ("occupied out", "is no bundle"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tiny_run: Path, data_copy: Path, tmp_path: Path, what: str, line: str
) -> None:
    run, out = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "out"
    corrupt(what, run, data_copy, out)
    result = command(run, [data_copy], out)
    assert result.exit_code == 2
    assert line in result.stderr and "Traceback" not in result.stderr
    assert not (out / "manifest.json").exists()


def test_a_file_that_is_no_keras_model_is_bad_input(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    request = ConversionOptions(run, (drawn_data,), tmp_path / "out", calibration=8)
    for content in (b"", b"PK\x03\x04 half a zip", (run / "model.keras").read_bytes()[:5000]):
        (run / "model.keras").write_bytes(content)
        with pytest.raises(BadInput, match="not a Keras model") as error:
            quantize(request)
        assert "\n" not in str(error.value)


def test_labels_that_are_not_the_models_are_bad_input(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    config["labels"] = [*LABELS, "Printer"]
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="5 labels"):
        quantize(ConversionOptions(run, (drawn_data,), tmp_path / "out"))


def test_a_model_with_another_input_than_raw_rgb_is_refused(tiny_fp32: Path) -> None:
    from convert.tflite.tensorflow_converter import check_input

    with pytest.raises(Refused, match="float32"):
        check_input(tiny_fp32.read_bytes())


@pytest.mark.slow
def test_the_same_weights_at_another_size(tiny_run: Path, drawn_data: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate.toml"
    # At a size it has not learned, the tiny network is near many a tie, which 8 bits may turn.
    gate.write_text("training_drop = 1.0\nagreement = 0.9\naccuracy_drop = 0.1\nclass_loss = 4")
    out, size = tmp_path / "out", SIZE + 16
    options = ("--image-size", str(size), "--calibration", "40", "--gate", str(gate))
    result = command(tiny_run, [drawn_data], out, *options)
    assert result.exit_code == 0, result.stderr
    bundle, _ = verify(out, threads=1).require()
    assert (bundle.manifest.input.size, bundle.manifest.training["trained_size"]) == (size, SIZE)
    assert bundle.manifest.parity.agreement >= bundle.manifest.parity.gate.agreement == 0.9
    assert f"the weights were trained, at {SIZE} px" in (out / "model_card.md").read_text()


def test_a_network_of_one_size_only_is_bad_input(tiny_run: Path, tmp_path: Path) -> None:
    import keras

    from convert.run import read_run
    from convert.tflite import tensorflow_converter as tflite

    image = keras.Input((SIZE, SIZE, 3))
    embedding = keras.layers.Flatten(name="embedding")(keras.layers.AveragePooling2D(8)(image))
    logits = keras.layers.Dense(len(LABELS), name="logits")(embedding)
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    flat = keras.Model(image, keras.layers.Softmax(name="probabilities")(logits))
    flat.save(run / "model.keras")
    assert tflite.load_model(read_run(run)).input_shape[1] == SIZE
    with pytest.raises(BadInput, match=f"instead of {SIZE} .*train at that size"):
        tflite.load_model(read_run(run).at_size(2 * SIZE))


def test_a_place_that_cannot_be_written_to_is_one_line(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = command(tiny_run, [drawn_data], tmp_path / "file" / "out", "--calibration", "8")
    assert result.exit_code == 1, result.output
    assert "error:" in result.stderr and "check space and rights" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error:")


def test_a_failing_converter_is_one_line(tiny_run: Path, tmp_path: Path) -> None:
    from convert.run import read_run
    from convert.tflite import tensorflow_converter as tflite

    model = tflite.load_model(read_run(tiny_run))
    tflite.export_graph(tflite.serving_model(model), tmp_path / "graph")
    four_channels = np.zeros((2, SIZE, SIZE, 4), np.uint8)
    with pytest.raises(EwasteError, match="converter failed") as error:
        tflite.convert_int8(tmp_path / "graph", four_channels)
    assert "\n" not in str(error.value)


def test_calibration_takes_the_classes_evenly() -> None:
    photos = [
        LabeledPhoto(Path(f"{label}/{number}.jpg"), label)
        for label, count in (("Battery", 3), ("Mouse", 50), ("PCB", 9))
        for number in range(count)
    ]
    chosen = stratify(photos, seed=1)
    assert sorted(photo.path for photo in chosen) == sorted(photo.path for photo in photos)
    counts = [sum(p.label == label for p in chosen[:12]) for label in ("Battery", "Mouse", "PCB")]
    assert counts == [3, 5, 4] or counts == [3, 4, 5]
    assert chosen == stratify(photos, seed=1) != stratify(photos, seed=2)


def test_the_fingerprint_is_of_contents_and_names_not_of_the_place(
    drawn_data: Path, data_copy: Path
) -> None:
    assert fingerprint([drawn_data]) == fingerprint([data_copy])
    photo = data_copy / "train" / "Battery" / "3-140.png"
    photo.rename(photo.with_name("03-140.png"))
    renamed = fingerprint([data_copy])
    photo.with_name("03-140.png").write_bytes(b"other")
    assert len({fingerprint([drawn_data]), renamed, fingerprint([data_copy])}) == 3


def test_golden_inputs_of_unknown_labels_are_patterns() -> None:
    first, second = draw_input("Toaster", 1, SIZE), draw_input("Toaster", 2, SIZE)
    assert first.shape == (SIZE, SIZE, 3) and first.dtype == np.uint8
    assert first.std() > 20 and not np.array_equal(first, second)
    assert np.array_equal(first, draw_input("Toaster", 1, SIZE))


def flatten(data: Path) -> Path:
    """Make `data/SPLIT/CLASS/*` a folder `CLASS/*` without splits beside it."""
    flat = data.with_name("flat")
    for split in ("train", "test"):
        for photo in find_photos(data / split):
            (flat / photo.label).mkdir(parents=True, exist_ok=True)
            photo.path.rename(flat / photo.label / f"{split}-{photo.path.name}")
    return flat


@pytest.mark.slow
def test_a_folder_without_splits_is_split_as_for_training(
    tiny_run: Path, data_copy: Path, tmp_path: Path
) -> None:
    run, flat = Path(shutil.copytree(tiny_run, tmp_path / "run")), flatten(data_copy)
    result = command(run, [flat], tmp_path / "out")
    assert result.exit_code == 2 and "no splits, and there is no" in result.stderr

    rows = [
        f"../flat/{photo.label}/{photo.path.name},{photo.label},{photo.path.name.split('-')[0]}"
        for photo in find_photos(flat)
    ]
    (run / "split.csv").write_text("\n".join(["path,label,split", *rows]))
    for data in (flat, run / "split.csv"):
        result = command(run, [data], tmp_path / "out", "--calibration", "40", "--json")
        assert result.exit_code == 0, result.stderr
        figures = json.loads(result.stdout)
        assert (figures["images"], figures["split"]) == (64, "test")
        expected = load_bundle(tmp_path / "out").manifest.parity.accuracy_float
        assert figures["accuracy_float"] == expected > 0.8

    listing = flat / "photos.csv"
    listing.write_text("path,label\nBattery/gone.png,Battery\n")
    result = command(run, [listing], tmp_path / "other")
    assert result.exit_code == 2 and "line 2: labeled Battery, but there is no" in result.stderr


def test_photos_the_run_does_not_know_are_bad_input(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    photo = find_photos(drawn_data / "train")[0]
    (run / "split.csv").write_text(f"path,label,split\n{photo.path},{photo.label},train\n")
    result = command(run, [drawn_data / "test"], tmp_path / "out")
    assert result.exit_code == 2
    assert "has no splits, and" in result.stderr and "names none" in result.stderr


def test_notes_end_the_model_card_and_missing_ones_fail_at_once(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    out, notes = tmp_path / "out", tmp_path / "notes.md"
    result = command(tiny_run, [drawn_data], out, "--notes", str(notes))
    assert result.exit_code == 2 and "notes.md" in result.stderr and not out.exists()
    notes.write_text("Measured on line 3.\n")
    result = command(tiny_run, [drawn_data], out, "--notes", str(notes), "--calibration", "40")
    assert result.exit_code == 0, result.stderr
    assert (out / "model_card.md").read_text().endswith("Measured on line 3.\n")


def test_the_bundle_takes_the_bins_and_sizes_of_the_line(
    tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    line, out = tmp_path / "line.toml", tmp_path / "out"
    line.write_text(
        '[bins]\nfire = ["Battery"]\n[[gates]]\nbin = "fire"\ndistance_mm = 900\npin = 17\n'
        "[sizes]\nBattery = { median_mm = 70, spread = 0.2 }\n"
        "Toaster = { median_mm = 300, spread = 0.2 }\n"
    )
    given = ("--line", str(line), "--calibration", "40")
    result = command(tiny_run, [drawn_data], out, *given)
    assert result.exit_code == 0, result.stderr
    manifest = load_bundle(out).manifest
    assert manifest.bins == {"fire": ("Battery",)}
    assert {label: size.median_mm for label, size in manifest.sizes.items()} == {"Battery": 70}
