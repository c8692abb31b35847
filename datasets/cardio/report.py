"""Everything that is measured of the model, gathered: what cardio.json holds and the pictures show."""

import hashlib
import importlib.metadata
import pathlib
import platform
from dataclasses import dataclass

import numpy as np
import xgboost

from published import INPUTS

from . import export, folds, leak, learners, measures, needs, pictures, sites, subgroups, thresholds
from .table import Patients, column

LIBRARIES = ("xgboost-cpu", "scikit-learn", "numpy", "onnx", "onnxmltools", "onnxruntime", "matplotlib")


@dataclass(frozen=True)
class Judged:
    """The cross-validation of both learners on the same folds."""

    probability: dict[str, np.ndarray]
    figures: dict[str, dict[str, object]]


def judge(patients: Patients) -> Judged:
    """Cross-validates both learners."""
    probability, figures = {}, {}
    for name, learner in (("xgboost", learners.xgboost_learner), ("logistic", learners.logistic_learner)):
        probability[name], fold = folds.cross_validate(patients, learner)
        figures[name] = {
            **measures.over_folds(probability[name], fold, patients.ill),
            "auc_over_patients": measures.auc(probability[name], patients.ill),
            "brier_over_patients": measures.brier(probability[name], patients.ill),
            "calibration_line": measures.calibration_line(probability[name], patients.ill),
            "calibration_curve": measures.calibration_curve(probability[name], patients.ill),
        }
    return Judged(probability, figures)


def model_facts(model: xgboost.XGBClassifier, content: bytes, patients: Patients) -> dict[str, object]:
    """What the file is, and how exactly another program reads it."""
    return {
        "file": "cardio.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "inputs": list(INPUTS),
        "needs": list(needs.NEEDS),
        "settings": {**learners.SETTINGS, "seed": learners.SEED},
        "onnx_opset": export.OPSET,
        "onnxruntime_difference": export.difference(model, content, patients.x),
    }


def data_facts(patients: Patients, demonstration: Patients) -> dict[str, object]:
    """How many patients, how many ill, and in how many something was not measured."""
    return {
        "unique": len(patients) + len(demonstration),
        "demonstration": len(demonstration),
        "patients": len(patients),
        "ill": int(patients.ill.sum()),
        "healthy": int((1 - patients.ill).sum()),
        "women": int((patients.x[:, column("sex")] == 0).sum()),
        "with_missing": int(np.isnan(patients.x).any(axis=1).sum()),
        "age": {"lowest": int(patients.x[:, column("age")].min()), "highest": int(patients.x[:, column("age")].max())},
    }


def moved_by(model: xgboost.XGBClassifier, patients: Patients) -> dict[str, float]:
    """By how much each input moves the log-odds of a patient on average (mean absolute SHAP value), most first."""
    values = model.get_booster().predict(xgboost.DMatrix(patients.x), pred_contribs=True)
    mean = np.abs(values[:, :-1]).mean(axis=0)
    return {INPUTS[at]: float(mean[at]) for at in np.argsort(-mean)}


def shown(model: xgboost.XGBClassifier, demonstration: Patients) -> list[dict[str, object]]:
    """The patients of the demonstration, in their order: the score where all that it needs is known, and the truth."""
    scores = model.predict_proba(demonstration.x)[:, 1]
    known = needs.known(demonstration.x)
    return [
        {"ill": bool(ill), "score": float(score) if complete else None}
        for ill, score, complete in zip(demonstration.ill, scores, known)
    ]


def measure(
    model: xgboost.XGBClassifier,
    content: bytes,
    judged: Judged,
    patients: Patients,
    demonstration: Patients,
    wheel: pathlib.Path,
) -> dict[str, object]:
    """The figures; `content` is the model's file, `wheel` where the other hospitals and the published copies are."""
    own = judged.probability["xgboost"]
    rows = thresholds.table(own, patients)
    proposed = thresholds.proposed(rows)
    at = {topic: next(row for row in rows if row["threshold"] == t) for topic, t in proposed.items()}
    return {
        "model": model_facts(model, content, patients),
        "versions": {"python": ".".join(platform.python_version_tuple()[:2])}
        | {name: importlib.metadata.version(name) for name in LIBRARIES},
        "data": data_facts(patients, demonstration),
        "cross_validation": {"folds": folds.FOLDS, "repeats": folds.REPEATS, **judged.figures},
        "leak": leak.measure(wheel),
        "proposed": {
            topic: {**row, "predictive": thresholds.predictive(row["sensitivity"]["value"], row["specificity"]["value"])}
            for topic, row in at.items()
        },
        "thresholds": rows,
        "subgroups": subgroups.measure(own, patients, proposed),
        "hidden": needs.measure(patients, proposed),
        "hospitals": sites.measure(wheel, lambda x: model.predict_proba(x)[:, 1].astype(float), proposed),
        "moved_by": moved_by(model, patients),
        "demonstration": shown(model, demonstration),
    }


def draw(figures: dict, judged: Judged, patients: Patients) -> dict[str, bytes]:
    """The pictures by file name, from the figures as cardio.json has them."""
    curves = {name: figures["cross_validation"][name]["calibration_curve"] for name in judged.figures}
    return {
        "roc.svg": pictures.roc(judged.probability, patients.ill, figures["proposed"]),
        "calibration.svg": pictures.calibration(curves),
        "thresholds.svg": pictures.thresholds(figures["thresholds"], figures["proposed"]),
        "leak.svg": pictures.leak(figures["leak"]),
    }
