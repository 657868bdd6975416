"""The figures of an evaluation as one page that a manager can read, offline and on paper."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from edge.inference.ood import SUM
from train.augmentation.corruptions import CORRUPTIONS
from train.pages import jpeg_data_url, svg_data_url, template_environment

GOALS = {
    "accuracy": 0.97,
    "background_drop": 0.03,
    "background_recall": 0.85,
    "turn_drop": 0.02,
    "ece": 0.02,
    "unknown_auroc": 0.97,
    "unknown_accepted_at_95": 0.15,
    "hazard_recall": 0.99,
}
"""What a model should reach before it sorts real waste; all are shares, 0 to 1."""

BACKGROUND_NAMES = {
    "original": "as photographed",
    "white": "white",
    "black": "black",
    "belt": "belt",
    "foreign": "another class's background",
    "own": "its own background, painted over",
    "turned": "belt, at any angle",
}
SCORE_NAMES = {
    "max_softmax": "confidence",
    "energy": "energy",
    "mahalanobis": "Mahalanobis distance",
    "neighbors": "nearest neighbors",
    "entropy": "generalized entropy",
    "collapse": "projection on the class's weights",
    "discriminant": "discriminant of negatives",
}
STYLE = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
GREEN, GRAY = "#1f7a4d", "#9aa5a0"


def score_name(score: str) -> str:
    """What a score, or the sum of two, is called in the report."""
    return " and ".join(SCORE_NAMES[part] for part in score.split(SUM))


@dataclass(frozen=True)
class Mistake:
    """A wrong answer.

    Attributes:
        photo: its file.
        truth: its label.
        answer: the model's answer.
        confidence: of the answer, 0 to 1.
        pixels: the model's input, uint8 RGB [S, S, 3].
        activation: activation map, float32 [h, w], 0 to 1; None without one.
    """

    photo: Path
    truth: str
    answer: str
    confidence: float
    pixels: np.ndarray
    activation: np.ndarray | None


@dataclass(frozen=True)
class Example:
    """One item on several backgrounds.

    Attributes:
        label: what it is.
        views: background -> uint8 RGB [S, S, 3].
        answers: background -> the model's answer.
    """

    label: str
    views: Mapping[str, np.ndarray]
    answers: Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """One line of the summary: a question, the answer in words, the goal, and whether it is met."""

    question: str
    answer: str
    goal: str
    met: bool


def render_report(figures: dict, mistakes: Sequence[Mistake], examples: Sequence[Example]) -> str:
    """The report as HTML that holds all its pictures; `figures` is what `evaluate.json` holds."""
    environment = template_environment(Path(__file__).parent)
    environment.filters["percent"] = percent
    environment.filters["interval"] = interval
    with plt.rc_context(STYLE):  # type: ignore[arg-type]
        plots = {
            "reliability": _svg(_reliability_plot(figures["reliability"])),
            "corruptions": figures["corruptions"] and _svg(_corruption_plot(figures)),
            "hazards": {
                hazard: _svg(_hazard_plot(hazard, each))
                for hazard, each in figures["decisions"]["hazards"].items()
                if each["curve"]
            },
        }
    return environment.get_template("report.html").render(
        figures=figures,
        findings=findings(figures),
        plots=plots,
        mean_of_classes=np.mean(
            [each["recall"] for each in figures["per_class"].values() if each["images"]]
        ),
        weak=GOALS["background_recall"],
        backgrounds=BACKGROUND_NAMES,
        score_name=score_name,
        corruptions=CORRUPTIONS,
        mistakes=[_shown(mistake) for mistake in mistakes],
        examples=[
            (
                each.label,
                [(_jpeg(view, 96), each.answers[name]) for name, view in each.views.items()],
            )
            for each in examples
        ],
    )


def percent(share: float | None) -> str:
    """A share of 0 to 1 in words: 96.3 %."""
    return "none" if share is None else f"{share:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def interval(share: dict) -> str:
    """A share of `edge.calibration.decisions.share` with its interval: 96.3 % (92.0 to 98.4, 77 of
    80).
    """
    if share["share"] is None:
        return "none"
    return (
        f"{percent(share['share'])} ({100 * share['low']:.1f} to {100 * share['high']:.1f}, "
        f"{share['count']} of {share['of']})"
    )


def findings(figures: dict) -> list[Finding]:
    """The summary: what the figures mean for the line, each beside its goal."""
    found = [_about_accuracy(figures), _about_calibration(figures)]
    found += [_about_hazard(*each) for each in figures["decisions"]["hazards"].items()]
    if figures["background"] and figures["background"]["images"]:
        found += [_about_background(figures["background"]), _about_angles(figures["background"])]
    if figures["unknown"]:
        found.append(_about_unknown(figures))
    return found


def _about_accuracy(figures: dict) -> Finding:
    judged = {name: each for name, each in figures["per_class"].items() if each["images"]}
    weakest = min(judged, key=lambda name: judged[name]["recall"])
    clean = figures["accuracy_clean"]
    found = round(judged[weakest]["recall"] * judged[weakest]["images"])
    answer = (
        f"{percent(figures['accuracy'])} of {figures['images']} photos get the right label (with "
        f"95 % certainty between {percent(figures['accuracy_low'])} and "
        f"{percent(figures['accuracy_high'])}). Found least often: {weakest}, "
        f"{found} of {judged[weakest]['images']}."
    )
    if clean is not None:
        answer += f" Without photos that training has seen: {percent(clean)}."
    accuracy = figures["accuracy"] if clean is None else clean
    goal = f"at least {_goal('accuracy')}"
    return Finding("Does it recognize the items?", answer, goal, accuracy >= GOALS["accuracy"])


def _about_calibration(figures: dict) -> Finding:
    off, raw, chance, high = (
        f"{100 * figures[name]:.1f}"
        for name in ("ece", "ece_uncalibrated", "ece_by_chance", "ece_by_chance_high")
    )
    answer = (
        f"Its stated confidence is {off} points off on average (expected calibration error; {raw} "
        f"without its temperature). Over so many photos, confidence that is exactly right shows "
        f"{chance} points by chance, and more than {high} in 1 of 20 cases."
    )
    goal = f"at most {100 * GOALS['ece']:.0f} points"
    return Finding("Is its confidence calibrated?", answer, goal, figures["ece"] <= GOALS["ece"])


def _about_hazard(hazard: str, figures: dict) -> Finding:
    recall = figures["recall"]
    answer = (
        f"Of {recall['of']} items, {figures['labeled']} get that label and "
        f"{recall['count'] - figures['labeled']} more are held back as perhaps one: "
        f"{interval(recall)}. {interval(figures['safe'])} end up in no other label's bin. The "
        f"price: {interval(figures['suspected'])} of all other items are sorted by hand for "
        f"looking like it, and {interval(figures['precision'])} of its bin is right."
    )
    met = recall["share"] is None or recall["share"] >= GOALS["hazard_recall"]
    return Finding(
        f"Does every {hazard} stay out of other bins?",
        answer,
        f"at least {_goal('hazard_recall')} found",
        met,
    )


def _about_background(background: dict) -> Finding:
    backgrounds = background["backgrounds"]
    original = backgrounds["original"]["accuracy"]
    plain = [name for name in ("white", "black", "belt") if name in backgrounds]
    drop = original - min(backgrounds[name]["accuracy"] for name in plain)
    recall, where = min(
        (each["recall"], f"{label} on {BACKGROUND_NAMES[name]}")
        for name in plain
        for label, each in backgrounds[name]["per_class"].items()
        if each["images"]
    )
    met = drop <= GOALS["background_drop"] and recall >= GOALS["background_recall"]
    judgment = (
        "It looks at the item."
        if met
        else "It reads the background as well as the item: retrain with pasted backgrounds first."
    )
    answer = (
        f"The same {background['images']} segmented items: {percent(original)} right as "
        f"photographed, {percent(backgrounds['belt']['accuracy'])} on a belt, "
        f"{percent(backgrounds['white']['accuracy'])} on white, "
        f"{percent(backgrounds['black']['accuracy'])} on black, "
        f"{percent(backgrounds['foreign']['accuracy'])} on another class's background. "
        f"Segmentation alone has a cost: {percent(backgrounds['own']['accuracy'])} back on their "
        f"own background. Weakest: {where}, {percent(recall)} found. {judgment}"
    )
    goal = (
        f"at most {100 * GOALS['background_drop']:.0f} points lost on white, black and belt, "
        f"each class found at least {_goal('background_recall')}"
    )
    return Finding("Does it look at the item or at the background?", answer, goal, met)


def _about_angles(background: dict) -> Finding:
    upright, turned = (background["backgrounds"][name]["accuracy"] for name in ("belt", "turned"))
    answer = (
        f"The same {background['images']} items on the same belt: {percent(upright)} right as they "
        f"were photographed, {percent(turned)} turned by any angle."
    )
    goal = f"at most {100 * GOALS['turn_drop']:.0f} points lost"
    met = upright - turned <= GOALS["turn_drop"]
    return Finding("Does it recognize items that lie any way round?", answer, goal, met)


def _about_unknown(figures: dict) -> Finding:
    accepted, auroc = figures["unknown_accepted_at_95"], figures["unknown_auroc"]
    answer = (
        f"If 95 of 100 real items are to be kept, {percent(accepted)} of "
        f"{figures['unknown']['images']} other things (with 95 % certainty between "
        f"{percent(figures['unknown_accepted_at_95_low'])} and "
        f"{percent(figures['unknown_accepted_at_95_high'])}) are taken for one of the classes. It "
        f"ranks a "
        f"real item above another thing {percent(auroc)} of the time (AUROC)."
    )
    goal = f"at most {_goal('unknown_accepted_at_95')}, AUROC at least {_goal('unknown_auroc')}"
    met = accepted <= GOALS["unknown_accepted_at_95"] and auroc >= GOALS["unknown_auroc"]
    return Finding("Does it reject out-of-distribution items?", answer, goal, met)


def _goal(name: str) -> str:
    return f"{100 * GOALS[name]:.0f}\N{NO-BREAK SPACE}%"


def _reliability_plot(parts: Sequence[dict]) -> plt.Figure:
    figure, (gaps, counts) = plt.subplots(
        2, 1, figsize=(4.6, 4.8), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    centers = [(part["low"] + part["high"]) / 2 for part in parts]
    width = 0.9 * (parts[0]["high"] - parts[0]["low"])
    gaps.bar(centers, [part["accuracy"] for part in parts], width, color=GREEN)
    gaps.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--")
    gaps.plot([part["confidence"] for part in parts], [part["accuracy"] for part in parts], "k.")
    gaps.set(ylabel="share right", ylim=(0, 1.02), xlim=(0, 1))
    counts.bar(centers, [part["images"] for part in parts], width, color=GRAY)
    counts.set(xlabel="stated confidence", ylabel="photos")
    return figure


def _hazard_plot(hazard: str, figures: dict) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    price = [100 * point["suspected"] for point in figures["curve"]]
    axes.plot(price, [100 * point["recall"] for point in figures["curve"]], color=GREEN)
    chosen = 100 * figures["suspected"]["share"], 100 * figures["recall"]["share"]
    axes.plot(*chosen, "ko")
    axes.annotate(
        f"threshold {figures['level']:.2g}",
        chosen,
        textcoords="offset points",
        xytext=(8, -12),
    )
    axes.set(xlabel="other items sorted by hand for it, %", ylabel=f"{hazard} found, %")
    axes.set_ylim(top=101)
    axes.grid(alpha=0.3)
    return figure


def _corruption_plot(figures: dict) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for name, kind in figures["corruptions"]["kinds"].items():
        accuracy = [figures["accuracy"], *kind["accuracy"]]
        axes.plot(range(len(accuracy)), accuracy, marker="o", markersize=4, label=name)
    axes.set(xlabel="severity (0: as photographed)", ylabel="share right", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _svg(figure: plt.Figure) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    plt.close(figure)
    return svg_data_url(content.getvalue())


def _jpeg(pixels: np.ndarray, size: int) -> str:
    """A picture, uint8 RGB [S, S, 3], as a data URL, `size` px square."""
    small = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    return jpeg_data_url(small, quality=85)


def _shown(mistake: Mistake) -> dict:
    return {
        "photo": "/".join(mistake.photo.parts[-3:]),
        "truth": mistake.truth,
        "answer": mistake.answer,
        "confidence": mistake.confidence,
        "picture": _jpeg(mistake.pixels, 160),
        "activation": (
            None
            if mistake.activation is None
            else _jpeg(_heated(mistake.pixels, mistake.activation), 160)
        ),
    }


def _heated(pixels: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """A picture, uint8 RGB [S, S, 3], glowing where `activation`, float32 [h, w], is high."""
    size = pixels.shape[:2]
    spread = cv2.resize(activation.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    heat = np.rint(spread.clip(0, 1) * 255).astype(np.uint8)
    colors = cv2.applyColorMap(heat, cv2.COLORMAP_TURBO)[..., ::-1]
    return cv2.addWeighted(pixels, 0.5, np.ascontiguousarray(colors), 0.5, 0)
