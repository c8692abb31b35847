"""Models in plain operators, as a deep-learning library writes them: a logistic regression and a small neural network.

Both put the median in the place of what is missing, so that a NaN does not run through.
"""

from collections.abc import Iterator

import numpy as np
from onnx import helper
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cardio.table import Patients

from . import graphs
from .fitted import SEED, Model, filled


def networks(patients: Patients) -> Iterator[Model]:
    """Both."""
    whole, medians = filled(patients), np.nanmedian(patients.x, axis=0)
    regression = make_pipeline(StandardScaler(), LogisticRegression()).fit(whole.x, whole.ill)
    yield plain("logistic_plain", regression, [regression[-1].coef_.T], [regression[-1].intercept_], medians)
    network = make_pipeline(StandardScaler(), MLPClassifier((16, 8), alpha=1, max_iter=3000, random_state=SEED))
    network.fit(whole.x, whole.ill)
    yield plain("neural_network", network, network[-1].coefs_, network[-1].intercepts_, medians)


def plain(name: str, fitted: Pipeline, weights: list, biases: list, medians: np.ndarray) -> Model:
    """Medians, the scaler, layers with Relu between them, Sigmoid."""
    scaler = fitted[0]
    constants = {"medians": medians, "mean": scaler.mean_, "scale": 1 / scaler.scale_}
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["missing"]),
        helper.make_node("Where", ["missing", "medians", "inputs"], ["known"]),
        helper.make_node("Sub", ["known", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
    ]
    last = "scaled"
    for number, (weight, bias) in enumerate(zip(weights, biases)):
        constants |= {f"w{number}": weight, f"b{number}": bias}
        nodes.append(helper.make_node("Gemm", [last, f"w{number}", f"b{number}"], [f"layer{number}"]))
        last = f"layer{number}"
        if number + 1 < len(weights):
            nodes.append(helper.make_node("Relu", [last], [f"relu{number}"]))
            last = f"relu{number}"
    nodes.append(helper.make_node("Sigmoid", [last], ["probability"]))
    floats = {called: value.astype(np.float32) for called, value in constants.items()}
    return Model(name, "hand", graphs.probability(name, nodes, floats), lambda rows: reference(fitted, rows, medians))


def reference(fitted: Pipeline, rows: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """What scikit-learn says."""
    return fitted.predict_proba(np.where(np.isnan(rows), medians, rows))[:, 1:]
