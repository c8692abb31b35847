"""The forest as ONNX, by the standard exporter, and whether another program reads the same numbers out of it."""

import json

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
    add_covers(converted, booster)
    onnx.checker.check_model(converted, full_check=True)
    return converted.SerializeToString(deterministic=True)


def add_covers(converted: onnx.ModelProto, booster: xgboost.Booster) -> None:
    """Writes each node's cover, the summed weight (hessian) of the patients who came by it, as `nodes_hitrates`.

    The exporter leaves this standard attribute out. Without it nobody could tell from the file what moved a score: SHAP
    values of a path (Lundberg 2020) weigh the branches that were not taken by their covers. Scores do not change by it.
    """
    (ensemble,) = converted.graph.node
    nodes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in ensemble.attribute}
    trees = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    places = {key: at for at, key in enumerate(zip(nodes["nodes_treeids"], nodes["nodes_nodeids"]))}
    covers = [0.0] * len(places)
    for number, tree in enumerate(trees):
        waiting = [(0, 0)]  # the same node in XGBoost's numbering, and in the exporter's
        while waiting:
            ours, theirs = waiting.pop()
            at = places[number, theirs]
            covers[at] = tree["sum_hessian"][ours]
            if nodes["nodes_modes"][at] != b"LEAF":
                waiting.append((tree["left_children"][ours], nodes["nodes_truenodeids"][at]))
                waiting.append((tree["right_children"][ours], nodes["nodes_falsenodeids"][at]))
    ensemble.attribute.append(onnx.helper.make_attribute("nodes_hitrates", covers))


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
