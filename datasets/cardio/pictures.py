"""The model card's pictures, as SVG without date or random ids, so that the same figures give the same bytes."""

import io

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.hashsalt": "cardio",
    "svg.fonttype": "path",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
})

# Okabe and Ito's colours, told apart by the colour-blind as well.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
LEARNERS = {"xgboost": ("XGBoost (the score)", BLUE), "logistic": ("logistic regression", ORANGE)}


def svg(figure: Figure) -> bytes:
    """The picture's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return buffer.getvalue()


def square(x: str, y: str) -> tuple[Figure, Axes]:
    """Axes from 0 to 1 with a dotted diagonal."""
    figure = Figure(figsize=(4.8, 4.8))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y, aspect="equal")
    return figure, axes


def roc(judged: dict[str, np.ndarray], ill: np.ndarray, at: dict[str, dict]) -> bytes:
    """One curve a repeat, the score's and the regression's; a cross with its intervals where each topic draws the line."""
    figure, axes = square("healthy who are flagged (1 - specificity)", "ill who are flagged (sensitivity)")
    for learner, (label, colour) in LEARNERS.items():
        for number, probability in enumerate(judged[learner]):
            false, true, _ = roc_curve(ill, probability)
            axes.plot(false, true, color=colour, alpha=0.35, linewidth=1, label=label if number == 0 else None)
    for topic, row in at.items():
        true, well = row["sensitivity"], row["specificity"]
        x, y = 1 - well["value"], true["value"]
        axes.errorbar(
            x, y, capsize=3, color="black", linewidth=1.2, zorder=3,
            xerr=[[well["high"] - well["value"]], [well["value"] - well["low"]]],
            yerr=[[true["value"] - true["low"]], [true["high"] - true["value"]]],
        )
        axes.annotate(f"{topic}: score ≥ {row['threshold']:g}", (x, y), (12, -18), textcoords="offset points")
    axes.legend(frameon=False, loc="lower right")
    return svg(figure)


def calibration(curves: dict[str, list[dict]]) -> bytes:
    """What was said against what was so, with intervals."""
    figure, axes = square("mean probability that was given", "share who had the disease")
    for (learner, (label, colour)), shift in zip(LEARNERS.items(), (-0.004, 0.004)):
        curve = curves[learner]
        x = np.array([point["predicted"] for point in curve]) + shift  # apart, so that both intervals can be seen
        value, low, high = (np.array([point[name] for point in curve]) for name in ("value", "low", "high"))
        axes.errorbar(x, value, yerr=[value - low, high - value], fmt="o-", markersize=4, capsize=2, linewidth=1,
                      color=colour, label=label)
    axes.legend(frameon=False, loc="upper left")
    return svg(figure)


def thresholds(rows: list[dict], proposed: dict[str, dict]) -> bytes:
    """Sensitivity and specificity with their intervals, and a line where each topic stands."""
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.add_subplot()
    at = [row["threshold"] for row in rows]
    for name, colour in (("sensitivity", BLUE), ("specificity", ORANGE)):
        value, low, high = ([row[name][part] for row in rows] for part in ("value", "low", "high"))
        axes.plot(at, value, color=colour, label=name)
        axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
    for topic, row in proposed.items():
        axes.axvline(row["threshold"], color=GREY, linewidth=1, linestyle="--")
        axes.text(row["threshold"] + 0.008, 0.02, f"{topic} {row['threshold']:g}", color=GREY)
    axes.set(xlim=(0.05, 0.95), ylim=(0, 1.01), xlabel="threshold on the score", ylabel="share of patients")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return svg(figure)


def leak(leaked: dict) -> bytes:
    """AUC on the published rows, by how the test rows were chosen; bars are one standard deviation over folds."""
    figure = Figure(figsize=(6.4, 2.4))
    axes = figure.add_subplot()
    names = {"xgboost": "this model", "stock": "XGBoost as it comes"}
    splits = {"by_row": ("split at random", ORANGE), "by_patient": ("split by patient", BLUE)}
    places = {}
    for name, label in names.items():
        for split, (how, colour) in splits.items():
            found, place = leaked[name][split], -len(places)
            axes.errorbar(found["mean"], place, xerr=found["sd"], fmt="o", capsize=4, color=colour)
            axes.annotate(f"{found['mean']:.3f}", (found["mean"], place), (0, 6), textcoords="offset points", ha="center")
            places[place] = f"{label}, {how}"
    axes.set(xlim=(0.8, 1.005), ylim=(0.5 - len(places), 0.7), xlabel="area under the ROC curve")
    axes.set_yticks(list(places), list(places.values()))
    return svg(figure)
