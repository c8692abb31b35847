"""Where to draw the line for the rules `cardiology` and `stroke`, and what the line costs."""

import numpy as np

from . import measures
from .table import Patients

GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))

# The cardiologist reads a collection in her own time: an ill patient who is not in it costs more than a healthy one who is.
SENSITIVE = 0.90
# The emergency doctor is called at once, and a doctor who is called for nothing stops coming.
SPECIFIC = 0.95

# Shares of ill patients among those who are measured: a screening, a general ward, a ward for chest pain.
PREVALENCES = (0.05, 0.10, 0.20, 0.45)


def table(probability: np.ndarray, patients: Patients) -> list[dict[str, object]]:
    """Sensitivity and specificity at every threshold of GRID."""
    return [{"threshold": t, **measures.at_threshold(probability, patients.ill, t)} for t in GRID]


def proposed(rows: list[dict]) -> dict[str, float]:
    """`cardiology`: the highest that is SENSITIVE, to two digits; `stroke`: the lowest that is SPECIFIC."""
    sensitive = [row["threshold"] for row in rows if round(row["sensitivity"]["value"], 2) >= SENSITIVE]
    specific = [row["threshold"] for row in rows if round(row["specificity"]["value"], 2) >= SPECIFIC]
    return {"cardiology": max(sensitive), "stroke": min(specific)}


def predictive(sensitivity: float, specificity: float) -> list[dict[str, float]]:
    """Of a hundred flagged, how many are ill (`ppv`), and of a hundred not flagged, how many are healthy (`npv`)."""
    values = []
    for share in PREVALENCES:
        caught, alarmed = sensitivity * share, (1 - specificity) * (1 - share)
        missed, spared = (1 - sensitivity) * share, specificity * (1 - share)
        values.append({"prevalence": share, "ppv": caught / (caught + alarmed), "npv": spared / (spared + missed)})
    return values
