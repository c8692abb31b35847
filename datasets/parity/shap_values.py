"""What moved the heart score of some patients: SHAP values by the `shap` package, checked against their definition."""

import numpy as np
import onnx
import shap
import xgboost

from cardio.table import Patients

from . import forest

ROWS = 36
CHECKED = 4  # by the definition, which takes all subsets
TOLERANCE = 2e-6  # of log-odds: both sums are formed in float32


def shap_values(model: xgboost.XGBClassifier, content: bytes, patients: Patients) -> list[dict[str, object]]:
    """An entry a patient: inputs (None: missing), each one's value, and what the forest expects before it knows any.

    In log-odds, path-dependent. Raises ValueError if the ONNX file by itself does not say the same.
    """
    random = np.random.default_rng(5)
    rows = patients.x[random.choice(len(patients), ROWS, replace=False)].copy()
    rows[ROWS // 2 :][random.random((ROWS - ROWS // 2, rows.shape[1])) < 0.25] = np.nan
    explainer = shap.TreeExplainer(model.get_booster())
    values = explainer.shap_values(rows)
    trees = forest.read(onnx.load_from_string(content))
    for at in range(0, ROWS, ROWS // CHECKED):
        off = np.abs(forest.shap_values(trees, rows[at]) - values[at]).max()
        if not off <= TOLERANCE:
            raise ValueError(f"row {at}: shap and the definition differ by {off}")
    return [
        {"inputs": [None if np.isnan(value) else float(str(value)) for value in row],
         "values": [float(str(value)) for value in moved], "expected": float(str(explainer.expected_value))}
        for row, moved in zip(rows, values)
    ]
