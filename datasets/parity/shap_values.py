"""What moved the scores of some patients: SHAP values by the `shap` package, checked against their definition."""

import numpy as np
import onnx
import shap
import xgboost

from cardio.table import Patients

from . import forest

ROWS = 36
CHECKED = 4  # by the definition, which takes all subsets
TOLERANCE = 2e-6  # of log-odds: both sums are formed in float32


def of_cardio(model: xgboost.XGBClassifier, content: bytes, patients: Patients) -> list[dict[str, object]]:
    """An entry a patient: inputs (None: missing), each one's value, and what the forest expects before it knows any.

    In log-odds, path-dependent. Raises ValueError if the ONNX file by itself does not say the same.
    """
    random = np.random.default_rng(5)
    rows = patients.x[random.choice(len(patients), ROWS, replace=False)].copy()
    rows[ROWS // 2 :][random.random((ROWS - ROWS // 2, rows.shape[1])) < 0.25] = np.nan
    explainer = shap.TreeExplainer(model.get_booster())
    return entries(content, rows, explainer.shap_values(rows), explainer.expected_value)


def entries(
    content: bytes, rows: np.ndarray, values: np.ndarray, expected: float, weigh: forest.Weigh = forest.only
) -> list[dict[str, object]]:
    """The entries of some rows. Raises ValueError if the ONNX file by itself does not say the same of a few of them."""
    trees = forest.read(onnx.load_from_string(content))
    for at in range(0, len(rows), len(rows) // CHECKED):
        off = np.abs(forest.shap_values(trees, rows[at], weigh) - values[at]).max()
        if not off <= TOLERANCE:
            raise ValueError(f"row {at}: shap and the definition differ by {off}")
    return [
        {"inputs": [None if np.isnan(value) else float(str(value)) for value in row],
         "values": [float(str(value)) for value in moved], "expected": float(str(expected))}
        for row, moved in zip(rows, values)
    ]
