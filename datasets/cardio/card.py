"""The model card: its words stand in model-card.md, and every figure in it comes from cardio.json."""

import pathlib
import string

from . import needs, thresholds
from .wording import code, hundredth, interval, percent, spread, table

TEMPLATE = pathlib.Path(__file__).with_name("model-card.md")

# The thresholds that the card lists: every tenth.
LISTED = tuple(round(0.1 * step, 1) for step in range(1, 10))


def render(figures: dict) -> str:
    """The card's text. Raises KeyError if the words ask for a figure that there is none of."""
    named = model(figures) | patients(figures) | lines(figures) | tables(figures)
    return string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(named)


def model(figures: dict) -> dict[str, str]:
    """What the model is."""
    facts, versions = figures["model"], figures["versions"]
    return {
        "sha256": facts["sha256"],
        "trees": str(facts["settings"]["n_estimators"]),
        "xgboost": versions["xgboost-cpu"],
        "onnxruntime": versions["onnxruntime"],
        "onnx_difference": f"{facts['onnxruntime_difference']:.1e}",
        "inputs": code(facts["inputs"]),
        "needs": code(facts["needs"]),
        "needs_plain": ", ".join(facts["needs"]),
        "optional": code(needs.OPTIONAL),
        "settings": ", ".join(f"`{name}` {value}" for name, value in facts["settings"].items()),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def patients(figures: dict) -> dict[str, str]:
    """Who it learnt from, and how that was split."""
    data, validation, leaked = figures["data"], figures["cross_validation"], figures["leak"]
    women = next(row for row in figures["subgroups"] if row["group"] == "women")
    counts = ("unique", "demonstration", "patients", "ill", "healthy", "women", "with_missing")
    return {name: str(data[name]) for name in counts} | {
        "published": str(leaked["rows"]),
        "duplicates": str(leaked["rows"] - data["unique"]),
        "learnt_before": percent(leaked["learnt_before"]),
        "age_lowest": str(data["age"]["lowest"]),
        "age_highest": str(data["age"]["highest"]),
        "ill_women": str(women["ill"]),
        "share_ill": f"{data['ill'] / data['patients']:.2f}",
        "majority": f"{max(data['ill'], data['healthy']) / data['patients']:.3f}",
        "folds": str(validation["folds"]),
        "repeats": str(validation["repeats"]),
        "fits": str(validation["folds"] * validation["repeats"]),
    }


def lines(figures: dict) -> dict[str, str]:
    """Where the lines are drawn, and whether the number means what it says."""
    own = figures["cross_validation"]["xgboost"]
    timid = own["calibration_curve"][-2]
    named = {
        "slope": f"{own['calibration_line']['slope']:.2f}",
        "timid_said": percent(timid["predicted"]),
        "timid_true": percent(timid["value"]),
        "sensitive": percent(thresholds.SENSITIVE),
        "specific": percent(thresholds.SPECIFIC),
        "missed_cardiology": hundredth(1 - figures["proposed"]["cardiology"]["sensitivity"]["value"]),
    }
    for topic, row in figures["proposed"].items():
        named[f"{topic}_threshold"] = f"{row['threshold']:g}"
        named[f"{topic}_sensitivity"] = interval(row["sensitivity"])
        named[f"{topic}_specificity"] = interval(row["specificity"])
    return named


def tables(figures: dict) -> dict[str, str]:
    """The bodies of the tables."""
    validation, leaked = figures["cross_validation"], figures["leak"]
    learners = {"xgboost": "the score (XGBoost)", "logistic": "logistic regression"}
    splits = {"xgboost": "this model", "stock": "XGBoost with the settings it comes with"}
    return {
        "learners_table": table([
            [label, f"{spread(found['auc'])} {between(found['auc_over_patients'])}", spread(found["accuracy"]),
             spread(found["brier"])]
            for label, found in ((label, validation[name]) for name, label in learners.items())
        ]),
        "thresholds_table": table([
            [f"{row['threshold']:g}", interval(row["sensitivity"]), interval(row["specificity"])]
            for row in figures["thresholds"] if row["threshold"] in LISTED
        ]),
        "predictive_table": predictive(figures["proposed"]),
        "subgroups_table": table([
            [row["group"], f"{row['patients']} ({row['ill']})", interval(row["auc"]), *at(row, "cardiology", "stroke")]
            for row in figures["subgroups"]
        ]),
        "hidden_table": table([
            [code(row["hidden"]) or "nothing", f"{row['mean_probability']:.2f}", spread(row["auc"]), *at(row, "cardiology")]
            for row in figures["hidden"] if len(row["hidden"]) != 1
        ]),
        "hospitals_table": table([
            [row["hospital"], f"{row['patients']} ({row['ill']})", str(row["needs_known"]), interval(row["auc"]),
             f"{row['mean_probability']:.2f} ({row['ill'] / row['patients']:.2f})", *at(row, "cardiology")]
            for row in figures["hospitals"]
        ]),
        "leak_table": table([
            [label, f"AUC {spread(leaked[name]['by_row'])}", f"AUC {spread(leaked[name]['by_patient'])}"]
            for name, label in splits.items()
        ]),
        "moved_table": table([[f"`{name}`", f"{value:.2f}"] for name, value in figures["moved_by"].items()]),
        "demonstration_table": table([
            [str(number), "unknown" if row["score"] is None else f"{row['score']:.2f}", "ill" if row["ill"] else "healthy"]
            for number, row in enumerate(figures["demonstration"], start=1)
        ]),
    }


def between(found: dict[str, float]) -> str:
    """An interval alone."""
    return f"({found['low']:.3f} to {found['high']:.3f})"


def at(row: dict, *topics: str) -> list[str]:
    """Sensitivity and specificity where each topic draws its line."""
    return [interval(row["at"][topic][name]) for topic in topics for name in ("sensitivity", "specificity")]


def predictive(proposed: dict) -> str:
    """A row for each share of ill patients: how many are ill among the flagged, and among the others."""
    rows = []
    for both in zip(*(proposed[topic]["predictive"] for topic in ("cardiology", "stroke"))):
        cells = [cell for found in both for cell in (hundredth(found["ppv"]), f"{100 * (1 - found['npv']):.1f}")]
        rows.append([hundredth(both[0]["prevalence"]), *cells])
    return table(rows)
