"""Models in plain operators, as a deep-learning library writes them: a logistic regression and small neural networks.

The median stands in for what is missing, so that a NaN does not run through; in one of them for two inputs only.
"""

from collections.abc import Iterator

import numpy as np
from onnx import helper
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cardio.table import Patients, column

from . import graphs
from .fitted import SEED, Model, filled


def networks(patients: Patients) -> Iterator[Model]:
    """All of them."""
    whole, medians = filled(patients), np.nanmedian(patients.x, axis=0)
    regression = make_pipeline(StandardScaler(), LogisticRegression()).fit(whole.x, whole.ill)
    yield plain("logistic_plain", regression, [regression[-1].coef_.T], [regression[-1].intercept_], medians)
    network = make_pipeline(StandardScaler(), MLPClassifier((16, 8), alpha=1, max_iter=3000, random_state=SEED))
    network.fit(whole.x, whole.ill)
    yield plain("neural_network", network, network[-1].coefs_, network[-1].intercepts_, medians)
    some = np.where(np.isin(np.arange(len(medians)), [column("trestbps"), column("chol")]), medians, np.nan)
    yield plain("partly_filled", network, network[-1].coefs_, network[-1].intercepts_, some)


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
    content = graphs.probability(name, nodes, floats)
    filled_up = not np.isnan(medians).any()
    return Model(name, "hand", content, lambda rows: reference(fitted, rows, medians), filled_up)


def reference(fitted: Pipeline, rows: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """What scikit-learn says."""
    return fitted.predict_proba(np.where(np.isnan(rows), medians, rows))[:, 1:]
