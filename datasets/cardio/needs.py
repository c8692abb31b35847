"""What must be known for the score to mean something: how far it strays when an input is hidden from it."""

import numpy as np

from published import INPUTS

from . import measures
from .folds import cross_validate
from .learners import xgboost_learner
from .table import Patients, column

# Proposed for `needs` in the rules. Hardly anybody in the table lacks one of these, so the forest could not learn what
# their absence means, and a hidden one moves the score for everybody. The other four may be missing.
NEEDS = ("age", "sex", "cp", "thalach", "exang", "oldpeak", "slope", "ca", "thal")

OPTIONAL = tuple(name for name in INPUTS if name not in NEEDS)
EXERCISE = ("thalach", "exang", "oldpeak", "slope")
SCANS = ("ca", "thal")

# Each input alone, then what is missing together when a test was not made.
HIDDEN = ((), *((name,) for name in INPUTS), OPTIONAL, EXERCISE, SCANS, EXERCISE + SCANS)


def known(x: np.ndarray) -> np.ndarray:
    """Whether all that the score needs was measured, row by row."""
    return ~np.isnan(x[:, [column(name) for name in NEEDS]]).any(axis=1)


def measure(patients: Patients, thresholds: dict[str, float]) -> list[dict[str, object]]:
    """For each of HIDDEN: the cross-validated figures of a forest that is shown everything and asked without these."""
    found = []
    for hidden in HIDDEN:
        hide = tuple(column(name) for name in hidden)
        probability, fold = cross_validate(patients, xgboost_learner, hide=hide)
        found.append({
            "hidden": list(hidden),
            "mean_probability": float(probability.mean()),
            **measures.over_folds(probability, fold, patients.ill),
            "at": {topic: measures.at_threshold(probability, patients.ill, t) for topic, t in thresholds.items()},
        })
    return found
