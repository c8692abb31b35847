"""What moved the heart score of some patients: SHAP values by the `shap` package, checked against their definition."""

import importlib.metadata

import numpy as np
import onnx
import shap
import xgboost

from cardio.table import Patients

from . import forest

ROWS = 36
CHECKED = 4  # by the definition, which takes all subsets
TOLERANCE = 2e-6  # of log-odds: both sums are formed in float32


def shap_values(model: xgboost.XGBClassifier, content: bytes, patients: Patients) -> dict[str, object]:
    """The content of cardio.shap.json. Raises ValueError if the ONNX file does not say the same by itself."""
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
    return {
        "package": f"shap {importlib.metadata.version('shap')}, TreeExplainer, path-dependent, in log-odds",
        "model": "datasets/cardio.onnx",
        "expected": float(explainer.expected_value),
        "rows": [
            {"inputs": [None if np.isnan(value) else float(str(value)) for value in row],
             "values": [float(str(value)) for value in moved]}
            for row, moved in zip(rows, values)
        ],
    }
