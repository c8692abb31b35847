"""What the training data looked like, input by input: the yardstick for drift in what arrives later.

A population stability index compares shares: sum over bins of (now - then) * ln(now / then).
"""

import numpy as np

from published import INPUTS, WORDS

from .table import Patients, column

BINS = 10


def edges(values: np.ndarray) -> list[float]:
    """Cuts that give bins of about equal size, in the values' own precision; fewer than BINS where values repeat."""
    cuts = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1], method="nearest")
    return [float(str(cut)) for cut in np.unique(cuts) if cut > values.min()]


def of(patients: Patients, name: str) -> dict[str, object]:
    """One input. Codes: how often each came. Numbers: bin i holds cuts[i-1] <= value < cuts[i], open at both ends."""
    values = patients.x[:, column(name)]
    known = values[~np.isnan(values)]
    entry: dict[str, object] = {"name": name}
    if name in WORDS:
        codes, counts = np.unique(known, return_counts=True)
        entry["codes"] = [int(code) for code in codes]
    else:
        entry["lowest"], entry["highest"] = float(str(known.min())), float(str(known.max()))
        cuts = entry["cuts"] = edges(known)
        places = np.searchsorted(np.array(cuts, np.float32), known, side="right")
        counts = np.bincount(places, minlength=len(cuts) + 1)
    return {**entry, "counts": [int(count) for count in counts], "missing": int(np.isnan(values).sum())}


def histograms(patients: Patients, sha256: str) -> dict[str, object]:
    """The content of cardio.inputs.json; `model` is the sha256 of the model that learnt from these patients."""
    return {"format": 1, "model": sha256, "patients": len(patients), "inputs": [of(patients, name) for name in INPUTS]}
