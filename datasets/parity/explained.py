"""Small models of which the file tells what moves a score: with the patients who came to each node, which exporters leave out.

Each is what somebody would bring who adds them as `cardio.export.add_covers` does for the heart score.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
import onnx
import shap
import xgboost
from skl2onnx import to_onnx
from skl2onnx.common import _container
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier

from cardio.export import OPSET, add_covers
from cardio.table import Patients

from . import answers, fitted, forest, shap_values
from .fitted import SEED

ROWS = 12
TOLERANCE = 1e-6  # of a probability


@dataclass(frozen=True)
class Explained:
    """A model, and what moved the scores of some patients."""

    name: str
    content: bytes
    entries: list[dict[str, object]]


def explained(patients: Patients) -> Iterator[Explained]:
    """All of them, one after the other."""
    whole = fitted.filled(patients)
    small = {"n_estimators": 6, "max_depth": 4, "random_state": SEED}
    rows = whole.x[np.random.default_rng(6).choice(len(whole), ROWS, replace=False)]
    yield classifier("random_forest", RandomForestClassifier(**small), whole, rows)
    yield classifier("decision_tree", DecisionTreeClassifier(max_depth=4, random_state=SEED), whole, rows)
    yield gradient_boosting(GradientBoostingClassifier(**small), whole, rows)
    yield average(RandomForestRegressor(**small), whole, rows)
    yield softmax(patients, rows)


def classifier(name: str, model: BaseEstimator, patients: Patients, rows: np.ndarray) -> Explained:
    """Shares of trees: a sum of probabilities."""
    model.fit(patients.x, patients.ill)
    trees = getattr(model, "estimators_", [model])
    content = sklearn(model, trees, patients)
    agree(name, content, rows, model.predict_proba(rows)[:, 1])
    explainer = shap.TreeExplainer(model)
    values, expected = explainer.shap_values(rows)[:, :, 1], explainer.expected_value[1]
    return Explained(name, content, shap_values.entries(content, rows, values, expected))


def gradient_boosting(model: GradientBoostingClassifier, patients: Patients, rows: np.ndarray) -> Explained:
    """A sum of log-odds under a logistic function."""
    model.fit(patients.x, patients.ill)
    content = sklearn(model, model.estimators_[:, 0], patients)
    agree("gradient_boosting", content, rows, model.predict_proba(rows)[:, 1])
    explainer = shap.TreeExplainer(model)
    (expected,) = explainer.expected_value
    values = explainer.shap_values(rows)
    return Explained("gradient_boosting", content, shap_values.entries(content, rows, values, expected))


def average(model: RandomForestRegressor, patients: Patients, rows: np.ndarray) -> Explained:
    """A mean of probabilities: skl2onnx divides the leaves itself, and here AVERAGE does."""
    model.fit(patients.x, patients.ill)
    trees = len(model.estimators_)
    converted = onnx.load_from_string(sklearn(model, model.estimators_, patients))
    (node,) = converted.graph.node
    weights = next(attribute.floats for attribute in node.attribute if attribute.name == "target_weights")
    weights[:] = [weight * trees for weight in weights]
    node.attribute.append(onnx.helper.make_attribute("aggregate_function", "AVERAGE"))
    content = fitted.content(converted)
    agree("average", content, rows, model.predict(rows))
    explainer = shap.TreeExplainer(model)
    (expected,) = explainer.expected_value
    values = explainer.shap_values(rows)
    entries = shap_values.entries(content, rows, values, expected, lambda weights: forest.only(weights) / trees)
    return Explained("average", content, entries)


def softmax(patients: Patients, rows: np.ndarray) -> Explained:
    """Two sums, of which the softmax is the logistic function of one less the other. Learnt with what is missing.

    onnxmltools 1.16 takes `multi:softprob` of two classes for one sum: every other tree is the second class's. And the base
    values have to be in the leaves: onnxruntime 1.32 adds that of the second class to the first.
    """
    settings = {"n_estimators": 6, "max_depth": 4, "n_jobs": 1, "random_state": SEED}
    model = xgboost.XGBClassifier(**settings, objective="multi:softprob", num_class=2).fit(patients.x, patients.ill)

    def amend(converted: onnx.ModelProto) -> None:
        (node,) = converted.graph.node
        attributes = {attribute.name: attribute for attribute in node.attribute}
        classes = [tree % 2 for tree in attributes["class_treeids"].ints]
        attributes["class_ids"].ints[:] = classes
        bases = attributes["base_values"].floats
        rounds = settings["n_estimators"]
        weights = attributes["class_weights"].floats
        weights[:] = [weight + bases[label] / rounds for weight, label in zip(weights, classes)]
        node.attribute.remove(attributes["base_values"])
        add_covers(converted, model.get_booster())

    content = fitted.from_xgboost("softmax", model, model.predict_proba, amend).content
    rows = rows.copy()
    rows[ROWS // 2 :, ::3] = np.nan
    agree("softmax", content, rows, model.predict_proba(rows)[:, 1])
    explainer = shap.TreeExplainer(model.get_booster())
    values = explainer.shap_values(rows)
    values = values[:, :, 1] - values[:, :, 0]
    expected = explainer.expected_value[1] - explainer.expected_value[0]
    weigh = lambda weights: weights.get(1, 0.0) - weights.get(0, 0.0)  # noqa: E731
    return Explained("softmax", content, shap_values.entries(content, rows, values, expected, weigh))


def sklearn(model: BaseEstimator, trees: list[BaseEstimator], patients: Patients) -> bytes:
    """As skl2onnx writes it, with the weight of the patients who came to each node in place of its ones."""
    with mock.patch.object(_container, "make_node", fitted.make_node):
        options = {"zipmap": False} if hasattr(model, "predict_proba") else None
        converted = to_onnx(model, patients.x[:1], name="explained", options=options, target_opset=OPSET)
    nodes = {attribute.name: attribute for attribute in converted.graph.node[0].attribute}
    places = zip(nodes["nodes_treeids"].ints, nodes["nodes_nodeids"].ints)
    covers = [trees[tree].tree_.weighted_n_node_samples[node] for tree, node in places]
    nodes["nodes_hitrates"].floats[:] = covers
    return fitted.content(converted)


def agree(name: str, content: bytes, rows: np.ndarray, library: np.ndarray) -> None:
    """Raises ValueError if onnxruntime does not read the library's scores out of the file."""
    off = np.abs(answers.answers(content, rows)[:, -1] - library).max()
    if not off <= TOLERANCE:
        raise ValueError(f"{name}: onnxruntime and the library differ by {off}")
