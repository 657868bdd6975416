import io
import json
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.inference.classifier import softmax
from edge.inference.preprocess import float_input, model_input
from edge.photos.dataset import find_photos
from edge.photos.reading import read_photo
from train.evaluate import main
from train.evaluation.predictor import open_predictor

SCRIPT = Path(__file__).parents[2] / "train" / "evaluate.py"
STABLE = {
    "images",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "accuracy_clean",
    "per_class",
    "ece",
    "unknown_auroc",
    "unknown_accepted_at_95",
}


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


def script(*arguments: object) -> Done:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)


def evaluate(model: Path, data: Path, out: Path, **options: object) -> Done:
    """The same in this process, which has imported everything already."""
    quick = {"corruption_photos": 0, "background": False, "threads": 1}
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            main(model=model, data=data, out=out, **(quick | options))
        except SystemExit as stopped:
            code = stopped.code
    return Done(code, stdout.getvalue(), stderr.getvalue())


def figures_in(out: Path) -> dict:
    return json.loads((out / "evaluate.json").read_text())


@pytest.fixture(scope="module")
def ood_photos(tmp_path_factory) -> Path:
    """Pictures of nothing in particular."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("ood_photos")
    rng = np.random.default_rng(0)
    for category in ("noise", "stripes"):
        (folder / category).mkdir()
        for number in range(6):
            picture = rng.integers(0, 256, (96, 96, 3), np.uint8)
            if category == "stripes":
                picture[:] = picture[:1]
            Image.fromarray(picture).save(folder / category / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def corrupted_data(drawn_data, tmp_path_factory) -> Path:
    """The drawn items, one test photo of them torn."""
    data = Path(shutil.copytree(drawn_data, tmp_path_factory.mktemp("data") / "items"))
    torn = data / "test" / "PCB" / "0-190.png"
    torn.write_bytes(torn.read_bytes()[:100])
    return data


@pytest.fixture(scope="module")
def of_bundle(tiny_bundle, corrupted_data, ood_photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("judged") / "bundle"
    given = ("--model", tiny_bundle, "--data", corrupted_data, "--unknown", ood_photos)
    more = ("--corruption-photos", 8, "--threads", 1, "--json")
    return out, script(*given, *more, "--out", out)


def test_a_bundle_gets_figures_and_a_report(of_bundle):
    out, done = of_bundle
    assert done.code == 0, done.stderr
    figures = figures_in(out)
    assert json.loads(done.stdout) == figures
    assert figures.keys() >= STABLE
    assert 0 <= figures["accuracy_low"] <= figures["accuracy"] <= figures["accuracy_high"] <= 1
    assert figures["accuracy_clean"] is None
    assert figures["accuracy"] > 0.7 and figures["images"] == 63
    assert {path.name for path in out.iterdir()} == {"evaluate.json", "report.html"}


def test_a_torn_photo_is_named_and_left_out(of_bundle):
    out, done = of_bundle
    assert re.search(r"skipped \S+PCB/0-190\.png", done.stderr)
    assert figures_in(out)["skipped"] == 1


def test_every_part_of_the_evaluation_is_there(of_bundle):
    figures = figures_in(of_bundle[0])
    unknown = figures["unknown"]
    assert set(unknown["scores"]) == {"max_softmax", "energy"}
    assert figures["unknown_auroc"] == unknown["scores"][unknown["score"]]["auroc"]
    assert set(unknown["accepted_by_category"]) == {"noise", "stripes"}
    assert figures["corruptions"]["images"] == 8
    mildest, severest = zip(
        *(
            (kind["accuracy"][0], kind["accuracy"][-1])
            for kind in figures["corruptions"]["kinds"].values()
        ),
        strict=True,
    )
    assert len(mildest) == 6 and np.mean(severest) < np.mean(mildest)
    background = figures["background"]
    assert set(background["backgrounds"]) == {
        "original",
        "white",
        "black",
        "belt",
        "foreign",
        "own",
        "turned",
    }
    assert background["images"] + background["left_out"] == figures["images"]
    assert background["images"] > 40
    assert {each["images"] for each in background["backgrounds"].values()} == {background["images"]}


def test_the_report_holds_all_it_shows_and_says_it_in_words(of_bundle):
    report = (of_bundle[0] / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', report)
    assert len(sources) > 20 and all(source.startswith("data:image/") for source in sources)
    assert "url(" not in report and "<script" not in report
    figures = figures_in(of_bundle[0])
    assert f"{figures['accuracy']:.1%}".replace("%", "\N{NO-BREAK SPACE}%") in report
    assert "Does it look at the item" in report and "belt" in report


def test_a_lower_hazard_threshold_finds_more_and_costs_more(of_bundle):
    hazards = figures_in(of_bundle[0])["decisions"]["hazards"]
    assert hazards
    for hazard in hazards.values():
        curve = hazard["curve"]
        for figure in ("recall", "suspected"):
            values = [point[figure] for point in curve]
            assert values == sorted(values, reverse=True)
        above = [point for point in curve if point["threshold"] >= hazard["level"]]
        below = [point for point in curve if point["threshold"] <= hazard["level"]]
        assert above[0]["recall"] <= hazard["recall"]["share"] <= below[-1]["recall"]
        assert above[0]["suspected"] <= hazard["suspected"]["share"] <= below[-1]["suspected"]
        # At 1 nothing is suspected; what is called the hazard lies in its bin.
        assert curve[-1]["threshold"] == 1 and curve[-1]["suspected"] == 0
    assert "What finding a hazard costs" in (of_bundle[0] / "report.html").read_text()


def test_other_sources_stand_beside_the_data(tiny_bundle, drawn_data, tmp_path):
    source = tmp_path / "neighbor"
    for label in ("Battery", "PCB"):
        shutil.copytree(drawn_data / "test" / label, source / label)
    shutil.copytree(source / "PCB", source / "Toaster")
    done = evaluate(tiny_bundle, drawn_data, tmp_path / "out", out_of_source=[source])
    assert done.code == 0 and "left out: Toaster" in done.stderr
    figures = figures_in(tmp_path / "out")
    (judged,) = figures["out_of_source"]
    recalls = {label: each["share"] for label, each in judged["per_class"].items()}
    assert recalls == {label: figures["per_class"][label]["recall"] for label in ("Battery", "PCB")}
    assert judged["mean_of_classes"] == pytest.approx(np.mean(list(recalls.values())))
    assert judged["source"] == "neighbor" and judged["left_out"] == ["Toaster"]
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Other people&#39;s photos" in report or "Other people's photos" in report


def test_a_source_without_a_known_class_is_bad_input(tiny_bundle, drawn_data, tmp_path):
    shutil.copytree(drawn_data / "test" / "PCB", tmp_path / "source" / "Toaster")
    done = evaluate(tiny_bundle, drawn_data, tmp_path / "out", out_of_source=[tmp_path / "source"])
    assert done.code == 2 and "none of the model's classes" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_same_evaluation_gives_the_same_figures(
    of_bundle, tiny_bundle, corrupted_data, tmp_path
):
    whole = {"corruption_photos": 8, "background": True}
    assert evaluate(tiny_bundle, corrupted_data, tmp_path, **whole).code == 0
    again, figures = figures_in(tmp_path), figures_in(of_bundle[0])
    for part in ("accuracy", "ece", "corruptions", "background", "worst"):
        assert again[part] == figures[part]
    assert again["unknown"] is None and again["unknown_auroc"] is None


def test_judging_a_bundle_does_without_tensorflow(tiny_bundle, drawn_data, tmp_path):
    program = (
        "import sys; from pathlib import Path; from train.evaluation.evaluate import evaluate; "
        "from train.evaluation.options import EvaluationRequest; "
        f"evaluate(EvaluationRequest(Path({str(tiny_bundle)!r}), Path({str(drawn_data)!r}), "
        "corruption_photos=0, background=False)); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'tensorflow', 'keras'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


def test_a_run_is_judged_by_its_float_model(tiny_run, drawn_data, tmp_path):
    done = evaluate(tiny_run, drawn_data, tmp_path, split=["train"])
    assert done.code == 0, done.stderr
    figures = figures_in(tmp_path)
    model = keras.models.load_model(tiny_run / "model.keras")
    photos = find_photos(drawn_data / "train")
    pixels = np.stack([model_input(read_photo(photo.path), 48) for photo in photos])
    answers = model.predict(float_input(pixels), verbose=0).argmax(axis=1)
    labels = figures["model"]["labels"]
    right = [labels[row] == photo.label for row, photo in zip(answers, photos, strict=True)]
    assert figures["accuracy"] == np.mean(right)


def test_the_predictor_of_a_run_gives_logits_embedding_and_where_it_looked(tiny_run, drawn_data):
    predictor = open_predictor(tiny_run, threads=1)
    photo = find_photos(drawn_data / "test")[0]
    pixels = model_input(read_photo(photo.path), predictor.size)
    answers = predictor.answer(pixels[np.newaxis])
    model = keras.models.load_model(tiny_run / "model.keras")
    expected = model.predict(float_input(pixels[np.newaxis]), verbose=0)
    np.testing.assert_allclose(softmax(answers.logits), expected, atol=1e-4)
    assert answers.embeddings.shape == (1, 96)
    looked = predictor.activation(pixels, int(answers.logits[0].argmax()))
    assert looked.min() >= 0 and looked.max() == pytest.approx(1)
    # The map is exact: with the bias, its mean before clipping would be the logit.
    features = keras.Model(model.input, model.get_layer("embedding").input)
    kernel, bias = model.get_layer("logits").get_weights()
    maps = features.predict(float_input(pixels[np.newaxis]), verbose=0)[0] @ kernel
    np.testing.assert_allclose(maps.mean(axis=(0, 1)) + bias, answers.logits[0], atol=1e-3)
    best = int(answers.logits[0].argmax())
    clipped = np.maximum(maps[..., best], 0)
    np.testing.assert_allclose(looked, clipped / clipped.max(), atol=1e-4)


def test_the_report_on_a_run_shows_where_it_looked_in_each_mistake(tiny_run, drawn_data, tmp_path):
    swapped = Path(shutil.copytree(drawn_data, tmp_path / "data")) / "test"
    (swapped / "PCB").rename(swapped / "aside")
    (swapped / "Battery").rename(swapped / "PCB")
    (swapped / "aside").rename(swapped / "Battery")
    assert evaluate(tiny_run, swapped.parent, tmp_path / "out").code == 0
    report = (tmp_path / "out" / "report.html").read_text()
    shown = len(figures_in(tmp_path / "out")["worst"])
    assert shown == 12 and report.count('alt="activation map"') == shown


def test_leaked_photos_are_left_out_of_the_clean_accuracy(tiny_bundle, drawn_data, tmp_path):
    assert evaluate(tiny_bundle, drawn_data, tmp_path / "all").code == 0
    figures = figures_in(tmp_path / "all")
    right = round(figures["accuracy"] * figures["images"])
    photos = [photo.path for photo in find_photos(drawn_data / "test")]
    wrong = {drawn_data / mistake["photo"] for mistake in figures["worst"]}
    assert len(wrong) == figures["images"] - right
    leaked = [path for path in photos if path not in wrong][:10]
    listed = tmp_path / "leaked.txt"
    listed.write_text("".join(f"{path.relative_to(drawn_data)}\n" for path in leaked))
    assert evaluate(tiny_bundle, drawn_data, tmp_path / "clean", leaked=listed).code == 0
    clean = figures_in(tmp_path / "clean")
    assert clean["accuracy"] == figures["accuracy"]
    assert clean["accuracy_clean"] == pytest.approx((right - 10) / (figures["images"] - 10))


@pytest.mark.parametrize(
    ("given", "named", "code"),
    [
        ({"model": "nowhere"}, "neither a run", 2),
        ({"split": ["exam"]}, "exam", 2),
        ({"unknown": "nowhere"}, "no such folder of photos", 2),
        ({"leaked": "nowhere.txt"}, "not a readable list", 2),
        ({"out": "file/under"}, "cannot be written", 1),
    ],
)
def test_bad_input_gets_one_line_and_leaves_nothing(
    *, tiny_bundle, drawn_data, tmp_path, given, named, code
):
    (tmp_path / "file").write_text("")
    options = {"model": tiny_bundle, "data": drawn_data, "out": tmp_path / "out"}
    options |= {key: value if key == "split" else tmp_path / value for key, value in given.items()}
    done = evaluate(**options)
    assert done.code == code
    assert len(done.stderr.splitlines()) == 1 and named in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_changed_bundle_is_refused(tiny_bundle, drawn_data, tmp_path):
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    (bundle / "labels.txt").write_text("other\n")
    done = evaluate(bundle, drawn_data, tmp_path / "out")
    assert done.code == 3 and "altered" in done.stderr


def test_a_run_with_another_models_configuration_is_bad_input(tiny_run, drawn_data, tmp_path):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"labels": ["one", "two"]}))
    done = evaluate(run, drawn_data, tmp_path / "out")
    assert done.code == 2 and "has 4 classes, but config.json names 2" in done.stderr
    (run / "model.keras").write_bytes(b"no model")
    done = evaluate(run, drawn_data, tmp_path / "out")
    assert done.code == 2 and "not a model of this project" in done.stderr


def test_classes_that_the_model_does_not_know_are_bad_input(tiny_bundle, drawn_data, tmp_path):
    data = Path(shutil.copytree(drawn_data, tmp_path / "data"))
    (data / "test" / "PCB").rename(data / "test" / "Toaster")
    done = evaluate(tiny_bundle, data, tmp_path / "out")
    assert done.code == 2 and "does not know: Toaster" in done.stderr
