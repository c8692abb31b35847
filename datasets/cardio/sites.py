"""The other three hospitals of the study, which the model has learnt nothing from."""

import pathlib
from collections.abc import Callable

import numpy as np

import published
from published import INPUTS, WORDS

from . import measures
from .needs import known
from .table import MISSING, Patients

HOSPITALS = ("Hungary", "VA Long Beach", "Switzerland")

# UCI's Cleveland file has 303 rows. The 304th patient opens its Hungarian file; this table counts him to Cleveland.
MISFILED = {"304": "Hungary"}


def code(name: str, word: str) -> float:
    """A word or number as the model reads it; NaN for an empty cell and for the 0 that stands for one."""
    if word == "":
        return np.nan
    if name in WORDS:
        return float(next(code for code, called in WORDS[name].items() if called == word))
    number = float(word)
    return np.nan if number == MISSING.get(name) else number


def hospital(rows: list[dict[str, str]], name: str) -> Patients:
    """The patients of one hospital. The table calls `thalach` `thalch`."""
    own = [row for row in rows if MISFILED.get(row["id"], row["dataset"]) == name]
    x = [[code(field, row["thalch" if field == "thalach" else field]) for field in INPUTS] for row in own]
    return Patients(np.array(x, np.float32), np.array([int(int(row["num"]) > 0) for row in own]))


def measure(
    wheel: pathlib.Path, score: Callable[[np.ndarray], np.ndarray], thresholds: dict[str, float]
) -> list[dict[str, object]]:
    """A hospital each: how well the finished model does there, whatever was not measured given to it as NaN."""
    rows = published.read(wheel, published.SITES)
    found = []
    for name in HOSPITALS:
        patients = hospital(rows, name)
        probability = score(patients.x)[None, :]
        found.append({
            "hospital": name,
            "patients": len(patients),
            "ill": int(patients.ill.sum()),
            "needs_known": int(known(patients.x).sum()),
            "mean_probability": float(probability.mean()),
            "auc": measures.auc(probability, patients.ill),
            "brier": measures.brier(probability, patients.ill),
            "at": {topic: measures.at_threshold(probability, patients.ill, t) for topic, t in thresholds.items()},
        })
    return found
