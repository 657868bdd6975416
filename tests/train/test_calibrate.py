import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.manifest import DecisionParameters
from edge.calibration.answers import Answers, LabeledAnswers
from edge.calibration.costs import Costs
from edge.errors import BadInput
from edge.inference.ood import OodDetector, OodRule
from edge.inference.touching import TouchingRule
from tests.support.answers import drawn_answers
from train.evaluation.calibrate import calibrate_run, find_hazards, fit
from train.evaluation.calibration import read_calibration, write_calibration
from train.evaluation.ood_detectors import Negatives, compare_detectors
from train.evaluation.ood_samples import drawn_debris, shuffled
from train.evaluation.predictor import open_predictor

SCRIPT = Path(__file__).parents[2] / "train" / "calibrate.py"
LABELS = ("Battery", "Mouse", "PCB")


CHEAP = Costs(hazard=1.0)
"""What a hazard in a wrong bin costs no more than a look by hand."""


def test_turned_items_lower_the_hazard_thresholds_and_nothing_else():
    upright = drawn_answers(7, 2000, spread=12)
    missed = (upright.classes == 0)[:, np.newaxis] * np.array([-4, 0, 0])
    turned = LabeledAnswers(
        Answers(upright.answers.logits + missed, upright.answers.embeddings), upright.classes
    )

    def fitted(turned: dict[str, LabeledAnswers]) -> DecisionParameters:
        rng = np.random.default_rng(0)
        noise = Answers(rng.normal(0, 1, (50, 3)), rng.normal(0, 1, (50, 4)))
        return fit(
            labels=LABELS,
            hazards=("Battery",),
            views={"photographed": upright},
            references=upright,
            ood_samples={"noise": noise},
            costs=CHEAP,
            turned=turned,
        ).parameters

    without, found = fitted({}), fitted({"turned": turned})
    assert found.hazard_thresholds["Battery"] < without.hazard_thresholds["Battery"]
    assert found.model_copy(update={"hazard_thresholds": without.hazard_thresholds}) == without


def test_detectors_are_compared_on_what_they_never_saw():
    rng = np.random.default_rng(0)
    centers = np.eye(3, 16) * 4

    def items(count: int) -> tuple[Answers, np.ndarray]:
        classes = np.arange(count) % 3
        embeddings = centers[classes] + rng.normal(0, 0.5, (count, 16))
        return Answers(embeddings[:, :3], embeddings), classes

    references, (known, _) = items(90), items(60)
    strange = rng.normal(0, 0.5, (40, 16)) + np.eye(1, 16, 9) * 4
    ood_samples = {"strange": Answers(strange[:, :3], strange)}
    compared = compare_detectors(*references, known=known, ood_samples=ood_samples, temperature=1.0)
    singles = {"energy", "entropy", "mahalanobis", "neighbors", "collapse"}
    assert set(compared) == singles | {"neighbors+energy", "neighbors+collapse", "max_softmax"}
    for score, each in compared.items():
        assert set(each["kinds"]) == {"strange"}
        assert each["mean_auroc"] > (0.5 if score in ("max_softmax", "entropy") else 0.9)


def test_negatives_help_and_are_judged_by_kinds_that_were_not_seen():
    rng = np.random.default_rng(1)
    centers = np.eye(3, 24) * 4

    def answers(embeddings: np.ndarray) -> Answers:
        return Answers(embeddings[:, :3], embeddings)

    def items(count: int) -> tuple[Answers, np.ndarray]:
        classes = np.arange(count) % 3
        return answers(centers[classes] + rng.normal(0, 0.7, (count, 24))), classes

    # Other things look like a known class each, but all have one thing in common.
    groups = np.arange(120) % 6
    strange = centers[groups % 3] + rng.normal(0, 0.7, (120, 24)) + 1.5 * np.eye(1, 24, 20)
    seen = {"negatives": Negatives(answers(strange), groups)}
    references, (known, _) = items(300), items(90)
    compared = compare_detectors(
        *references, known=known, ood_samples={}, temperature=1.0, negatives=seen
    )
    best = max(compared, key=lambda score: compared[score]["mean_auroc"])
    assert "discriminant" in best
    figures = compared["discriminant"]["kinds"]["negatives"]
    assert figures["auroc"] > 0.85 > compared["energy"]["kinds"]["negatives"]["auroc"]
    by_chance = {"negatives": Negatives(items(120)[0], groups)}
    alike = compare_detectors(
        *references, known=known, ood_samples={}, temperature=1.0, negatives=by_chance
    )
    assert 0.35 < alike["discriminant"]["kinds"]["negatives"]["auroc"] < 0.65


def test_shuffled_pieces_are_the_same_pixels_elsewhere():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 42, 42, 3), np.uint8)
    jumbled = list(shuffled(pixels, seed=1))
    for photo, each in zip(pixels, jumbled, strict=True):
        inner, moved = photo[:40, :40].reshape(-1, 3), each[:40, :40].reshape(-1, 3)
        assert sorted(map(tuple, inner)) == sorted(map(tuple, moved))
        assert (photo != each).any()
    np.testing.assert_array_equal(jumbled, list(shuffled(pixels, seed=1)))


def test_drawn_debris_is_the_same_for_a_seed_and_differs_within_it():
    first, again = list(drawn_debris(6, 48, 3)), list(drawn_debris(6, 48, 3))
    np.testing.assert_array_equal(first, again)
    assert all(picture.shape == (48, 48, 3) and picture.dtype == np.uint8 for picture in first)
    assert len({picture.tobytes() for picture in first}) == 6


def test_a_calibration_is_read_as_it_was_written_and_bad_ones_are_named(tmp_path):
    rule = OodRule(score="neighbors", threshold=0.5)
    arrays = {"projection": np.eye(8), "references": np.random.default_rng(0).normal(size=(6, 8))}
    parameters = DecisionParameters(
        labels=LABELS, hazards=("Battery",), temperature=1.5, thresholds={"PCB": 0.7}, unknown=rule
    )
    assert read_calibration(tmp_path, LABELS).calibrated is False
    touching = TouchingRule(
        center=np.zeros(8, np.float32),
        direction=np.arange(8, dtype=np.float32),
        by_embedding=1.0,
        by_outline=0.5,
        intercept=-1.0,
        certain=2.0,
    )
    write_calibration(tmp_path, parameters, OodDetector(rule, arrays), {"ece": 0.1}, touching)
    read = read_calibration(tmp_path, LABELS)
    assert read.parameters == parameters and read.calibrated
    assert read.touching is not None and read.touching.certain == 2.0
    np.testing.assert_array_equal(read.touching.direction, touching.direction)
    for name, array in arrays.items():
        np.testing.assert_allclose(read.detector.arrays[name], array, atol=0.01)
    assert read.detector_data == (tmp_path / "unknown.npz").read_bytes()
    with pytest.raises(BadInput, match="other labels"):
        read_calibration(tmp_path, LABELS[:2])
    (tmp_path / "unknown.npz").unlink()
    with pytest.raises(BadInput, match=r"unknown\.npz.*calibrate\.py"):
        read_calibration(tmp_path, LABELS)
    (tmp_path / "calibration.json").write_text('{"parameters": {}, "figures": {}}')
    with pytest.raises(BadInput, match=r"calibration\.json: parameters\.labels"):
        read_calibration(tmp_path, LABELS)


def test_a_calibration_with_the_keys_of_earlier_runs_is_read(tmp_path):
    rule = OodRule(score="neighbors", threshold=0.5)
    arrays = {"projection": np.eye(8), "references": np.ones((6, 8))}
    parameters = DecisionParameters(
        labels=LABELS, hazards=("Battery",), hazard_thresholds={"Battery": 0.02}, unknown=rule
    )
    write_calibration(tmp_path, parameters, OodDetector(rule, arrays), {})
    earlier = parameters.model_dump(mode="json")
    earlier["hazard_suspicion"] = earlier.pop("hazard_thresholds")
    earlier["unknown"]["score"] = "neighbours"
    content = json.dumps({"levels": earlier, "figures": {}})
    (tmp_path / "calibration.json").write_text(content)
    assert read_calibration(tmp_path, LABELS).parameters == parameters


def script(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def calibrated(tiny_run, drawn_data, tmp_path_factory):
    """The tiny run, calibrated by the script on its split.csv; the test items serve as val."""
    run = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("calibrated") / "run"))
    rows = ["path,label,split"]
    for split, used in (("train", "train"), ("test", "val"), ("test", "test")):
        rows += [f"{photo},{photo.parent.name},{used}" for photo in drawn_data.glob(f"{split}/*/*")]
    (run / "split.csv").write_text("\n".join(rows))
    return run, script("--run", run, "--json")


def test_a_run_is_calibrated_and_then_judged_by_what_was_found(calibrated):
    run, done = calibrated
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    predictor = open_predictor(run, threads=1)
    parameters = read_calibration(run, predictor.labels).parameters
    assert parameters.model_dump(mode="json") == figures["parameters"]
    assert predictor.temperature == parameters.temperature
    assert predictor.rules.hazard_thresholds.keys() == {"Battery"}
    compared = figures["detectors"]
    assert predictor.rules.ood_detector.rule.score == max(
        (score for score in compared if score != "max_softmax"),
        key=lambda score: compared[score]["mean_auroc"],
    )
    photographed = figures["decisions"]["photographed"]
    assert photographed["hazards"]["Battery"]["recall"]["share"] >= 0.9
    assert set(figures["decisions"]) == {"photographed", "augmented", "belt", "white"}
    assert "Battery, suspected from" in done.stderr


def test_a_bundle_takes_over_what_its_run_was_calibrated_to(
    calibrated, drawn_data, tmp_path, logged
):
    from convert.quantize import ConversionOptions, quantize

    run, _ = calibrated
    quantize(ConversionOptions(run, (drawn_data,), tmp_path / "bundle", calibration=40))
    assert logged
    assert not any("not calibrated" in line for line in logged)
    of_bundle, of_run = (open_predictor(each, 1) for each in (tmp_path / "bundle", run))
    assert of_bundle.rules.thresholds == of_run.rules.thresholds
    assert of_bundle.temperature == of_run.temperature
    assert of_bundle.rules.ood_detector.rule == of_run.rules.ood_detector.rule
    for name, array in of_run.rules.ood_detector.arrays.items():
        np.testing.assert_array_equal(of_bundle.rules.ood_detector.arrays[name], array)


def test_a_hazard_that_is_no_label_gets_one_line(calibrated):
    run, _ = calibrated
    with pytest.raises(BadInput, match="Toaster is none of its labels"):
        calibrate_run(run, None, None, ["Battery", "Toaster"])


def test_hazards_are_found_by_their_names_or_refused_with_a_hint(tmp_path):
    labels = ("battery", "Mouse", "Te\N{COMBINING ACUTE ACCENT}le")
    assert find_hazards(tmp_path, labels, None) == ("battery",)
    assert find_hazards(tmp_path, labels, ["T\N{LATIN SMALL LETTER E WITH ACUTE}le"]) == labels[2:]
    assert find_hazards(tmp_path, labels, []) == ()
    with pytest.raises(BadInput, match=r"the hazard Battery is none .* did you mean battery\?"):
        find_hazards(tmp_path, labels, ["Battery"])
    with pytest.raises(BadInput, match="the hazard Kettle is none of its labels; it has battery"):
        find_hazards(tmp_path, labels, ["Kettle"])
