"""The same figures for women and men, and by age: small groups, so that the intervals say more than the values."""

import numpy as np

from . import measures
from .table import Patients, column


def masks(patients: Patients) -> dict[str, np.ndarray]:
    """Who belongs to which group."""
    age, sex = patients.x[:, column("age")], patients.x[:, column("sex")]
    return {
        "women": sex == 0,
        "men": sex == 1,
        "under 50": age < 50,
        "50 to 59": (age >= 50) & (age < 60),
        "60 and over": age >= 60,
    }


def measure(probability: np.ndarray, patients: Patients, thresholds: dict[str, float]) -> list[dict[str, object]]:
    """A group each, judged by the models of the cross-validation."""
    found = []
    for name, rows in masks(patients).items():
        p, ill = probability[:, rows], patients.ill[rows]
        found.append({
            "group": name,
            "patients": int(rows.sum()),
            "ill": int(ill.sum()),
            "mean_probability": float(p.mean()),
            "auc": measures.auc(p, ill),
            "at": {topic: measures.at_threshold(p, ill, threshold) for topic, threshold in thresholds.items()},
        })
    return found
