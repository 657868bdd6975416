import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.manifest import DEFAULT_HAZARD_THRESHOLD, DecisionParameters
from edge.decision.decide import rules_for
from edge.errors import BadInput
from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector, OodRule
from train.evaluation.calibrate import calibrate_run, find_hazards, fit
from train.evaluation.calibration import read_calibration, write_calibration
from train.evaluation.decisions import judge_decisions
from train.evaluation.ood_detectors import Negatives, compare_detectors
from train.evaluation.ood_samples import drawn_debris, shuffled
from train.evaluation.options import Costs
from train.evaluation.predictor import Answers, open_predictor
from train.evaluation.temperature import calibrated_loss, fit_temperature
from train.evaluation.thresholds import (
    MAX_HAZARD_MISS_RATE,
    MAX_SUSPECTED_SHARE,
    QUANTIZATION_MARGIN,
    LabeledAnswers,
    fit_hazard_threshold,
    fit_thresholds,
)

SCRIPT = Path(__file__).parents[2] / "train" / "calibrate.py"
LABELS = ("Battery", "Mouse", "PCB")


def drawn_answers(
    seed: int, count: int, sharpness: float = 1.0, spread: float = 3.0
) -> LabeledAnswers:
    """Items whose class is drawn with the probabilities that their logits / sharpness say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (count, 3))
    chances = softmax(logits)
    classes = np.array([rng.choice(3, p=each / each.sum()) for each in chances.astype(float)])
    return LabeledAnswers(Answers(logits * sharpness, np.zeros((count, 4))), classes)


CHEAP = Costs(hazard=1.0)
"""What a hazard in a wrong bin costs no more than a look by hand."""


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    views = drawn_answers(0, 6000, temperature)
    found = fit_temperature(views.answers.logits, views.classes)
    assert found == pytest.approx(temperature, rel=0.06)


def test_loss_does_not_depend_on_how_sure_a_model_is():
    views = drawn_answers(0, 600)
    logits, classes = views.answers.logits, views.classes
    loss = calibrated_loss(logits, classes)
    assert calibrated_loss(3 * logits, classes) == pytest.approx(loss, abs=1e-5)
    at = softmax(logits, fit_temperature(logits, classes))[np.arange(len(classes)), classes]
    assert loss == pytest.approx(-np.log(at).mean())


def leaks(views: LabeledAnswers, level: float) -> np.ndarray:
    """Whether each battery gets into another label's bin, if nothing else keeps it from there."""
    of_hazards = softmax(views.answers.logits)[views.classes == 0]
    return (of_hazards.argmax(axis=1) != 0) & (of_hazards[:, 0] < level)


def test_of_unseen_hazards_no_more_get_into_a_wrong_bin_than_was_asked_for():
    seen = {"photographed": drawn_answers(1, 3000, spread=12)}
    level = fit_hazard_threshold(0, seen, 1.0, CHEAP)
    unseen = drawn_answers(2, 6000, spread=12)
    assert leaks(unseen, level).mean() <= 2.5 * MAX_HAZARD_MISS_RATE
    assert leaks(unseen, 0.0).mean() == 0 < 0.03 < leaks(unseen, 1.1).mean()


def test_one_of_a_few_hazards_that_would_leak_is_caught_and_the_price_has_a_limit():
    views = drawn_answers(3, 120)
    probabilities = softmax(views.answers.logits)
    level = fit_hazard_threshold(0, {"photographed": views}, 1.0, CHEAP)
    others = probabilities[views.classes != 0, 0]
    capped = float(np.quantile(others, 1 - MAX_SUSPECTED_SHARE, method="higher"))
    would = (views.classes == 0) & (probabilities.argmax(axis=1) != 0)
    assert would.any()
    assert level == max(QUANTIZATION_MARGIN * float(probabilities[would, 0].min()), capped)
    assert (others > level).mean() <= MAX_SUSPECTED_SHARE


def test_a_hazard_that_goes_to_manual_anyway_raises_no_doubt_about_others():
    views = drawn_answers(5, 3000, spread=12)
    unsure = {"photographed": softmax(views.answers.logits).max(axis=1) >= 0.95}
    seen = {"photographed": views}
    careful = fit_hazard_threshold(0, seen, 1.0, CHEAP)
    assert fit_hazard_threshold(0, seen, 1.0, CHEAP, accepted=unsure) > careful


def test_a_dear_hazard_is_suspected_where_a_look_by_hand_costs_less():
    seen = {"photographed": drawn_answers(1, 8000, spread=12)}
    for price in (15, 20):
        level = fit_hazard_threshold(0, seen, 1.0, Costs(hazard=price))
        assert level <= 2 * QUANTIZATION_MARGIN / price
        assert level < fit_hazard_threshold(0, seen, 1.0, CHEAP)


def test_probabilities_that_are_all_too_large_are_no_reason_to_look():
    views = drawn_answers(6, 8000)
    stated = 0.9 * softmax(views.answers.logits) + np.array([0.1, 0, 0])
    inflated = LabeledAnswers(Answers(np.log(stated), views.answers.embeddings), views.classes)
    cost = Costs(hazard=8)
    plain = fit_hazard_threshold(0, {"photographed": views}, 1.0, cost)
    assert fit_hazard_threshold(0, {"photographed": inflated}, 1.0, cost) > plain + 0.05


def test_hazards_that_are_recognized_do_not_hide_those_that_are_not():
    rng = np.random.default_rng(0)
    stated = np.append(10 ** rng.uniform(-4, -1, 4000), np.full(30_000, 1e-6))
    chance = 1 / (1 + np.e * np.sqrt((1 - stated) / stated))  # 1 % at a stated 0.08 %
    classes = np.where(rng.random(len(stated)) < chance, 0, 1)
    recognized = 6000
    stated, classes = (
        np.append(stated, np.full(recognized, 0.999)),
        np.append(classes, np.zeros(recognized, int)),
    )
    logits = np.log(np.stack([stated, 0.99 * (1 - stated), 0.01 * (1 - stated)], axis=1))
    views = LabeledAnswers(Answers(logits, np.ones((len(logits), 4))), classes)
    level = fit_hazard_threshold(0, {"photographed": views}, 1.0, Costs(hazard=100))
    assert 0.0004 < level < 0.001


def test_a_hazard_that_val_lacks_gets_the_default():
    views = drawn_answers(4, 60)
    without = LabeledAnswers(views.answers, np.where(views.classes == 0, 1, views.classes))
    assert (
        fit_hazard_threshold(0, {"photographed": without}, 1.0, Costs()) == DEFAULT_HAZARD_THRESHOLD
    )


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


@given(st.integers(0, 50), st.floats(1.1, 50), st.floats(1, 500))
def test_thresholds_cost_no_more_than_sorting_all_or_none(seed, wrong, hazard):
    views = drawn_answers(seed, 60)
    costs = Costs(wrong, hazard)
    thresholds = fit_thresholds(LABELS, {"photographed": views}, 1.0, {}, costs)
    assert set(thresholds) == set(LABELS) and all(0 <= each <= 1 for each in thresholds.values())
    dearer = fit_thresholds(LABELS, {"photographed": views}, 1.0, {}, Costs(wrong * 20, hazard))
    kept = [
        sum(
            confidence >= chosen[LABELS[best]]
            for confidence, best in zip(
                softmax(views.answers.logits).max(axis=1),
                views.answers.logits.argmax(axis=1),
                strict=True,
            )
        )
        for chosen in (thresholds, dearer)
    ]
    assert kept[1] <= kept[0]


def test_a_dear_hazard_moves_its_own_threshold_not_the_labels():
    views = {"photographed": drawn_answers(8, 400)}
    dear = fit_thresholds(LABELS, views, 1.0, {"Battery": 0.2}, Costs(hazard=500))
    assert dear == fit_thresholds(LABELS, views, 1.0, {"Battery": 0.2}, CHEAP)


def test_without_items_of_a_label_its_threshold_is_chows():
    nothing = LabeledAnswers(Answers(np.zeros((0, 3)), np.zeros((0, 4))), np.zeros(0, int))
    thresholds = fit_thresholds(LABELS, {"photographed": nothing}, 1.0, {}, Costs(wrong=4))
    assert thresholds == dict.fromkeys(LABELS, 0.75)


def test_decisions_are_counted_as_the_device_makes_them():
    chances = np.array(
        [
            [0.9, 0.05, 0.05],  # Battery, so called
            [0.2, 0.8, 0.0],  # Battery, suspected
            [0.04, 0.96, 0.0],  # Battery, let through
            [0.3, 0.0, 0.7],  # PCB, suspected
            [0.0, 0.0, 1.0],  # PCB
            [0.0, 0.45, 0.55],  # Mouse, unsure
            [0.8, 0.2, 0.0],  # Mouse, in the batteries' bin
        ]
    )
    answers = Answers(np.log(chances + 1e-9), np.ones((7, 4)))
    parameters = DecisionParameters(labels=LABELS, hazards=("Battery",), threshold=0.6)
    rules = rules_for(parameters, {}, None)
    judged = judge_decisions(answers, np.array([0, 0, 0, 2, 2, 1, 1]), 1.0, rules)
    counts = {name: judged[name]["count"] for name in ("right", "wrong", "manual", "unknown")}
    assert counts == {"right": 2, "wrong": 2, "manual": 3, "unknown": 1}
    battery = judged["hazards"]["Battery"]
    assert (battery["labeled"], battery["recall"]["count"], battery["recall"]["of"]) == (1, 2, 3)
    assert battery["safe"]["count"] == 2 and battery["precision"]["share"] == 0.5
    assert (battery["suspected"]["count"], battery["suspected"]["of"]) == (1, 4)


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
    write_calibration(tmp_path, parameters, OodDetector(rule, arrays), {"ece": 0.1})
    read = read_calibration(tmp_path, LABELS)
    assert read.parameters == parameters and read.calibrated
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
