"""The forest as ONNX, by the standard exporter, and whether another program reads the same numbers out of it."""

import numpy as np
import onnx
import onnxruntime
import xgboost
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from published import INPUTS

# onnxmltools 1.16 writes TreeEnsembleClassifier, of ai.onnx.ml 1, for this opset; later ones bring nothing that is used.
OPSET = 15

# Both sides add float32 numbers; they may differ in the last bits of a probability.
TOLERANCE = 1e-6


def onnx_bytes(model: xgboost.XGBClassifier) -> bytes:
    """The file's content. A name is given to the graph because the exporter would draw a random one."""
    booster = model.get_booster()
    booster.feature_names = None  # the exporter expects f0, f1, …
    inputs = [("inputs", FloatTensorType([None, len(INPUTS)]))]
    converted = convert_xgboost(model, name="cardio", initial_types=inputs, target_opset=OPSET)
    onnx.checker.check_model(converted, full_check=True)
    return converted.SerializeToString(deterministic=True)


def onnxruntime_score(content: bytes, x: np.ndarray) -> np.ndarray:
    """The probability of disease as onnxruntime reads it, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"inputs": x})[0][:, 1]


def difference(model: xgboost.XGBClassifier, content: bytes, patients: np.ndarray) -> float:
    """The largest distance between XGBoost and onnxruntime: real rows, rows drawn between their extremes, missing values.

    Raises ValueError if it is above TOLERANCE.
    """
    random = np.random.default_rng(0)
    low, high = np.nanmin(patients, axis=0), np.nanmax(patients, axis=0)
    drawn = random.uniform(low, high, (20_000, len(INPUTS))).astype(np.float32)
    drawn[random.random(drawn.shape) < 0.1] = np.nan
    rows = np.vstack([patients, drawn])
    found = float(np.abs(onnxruntime_score(content, rows) - model.predict_proba(rows)[:, 1]).max())
    if not found <= TOLERANCE:
        raise ValueError(f"onnxruntime and XGBoost differ by {found}")
    return found
