"""Models that a library fits and its exporter writes: what people bring."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
import onnx
import xgboost
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from skl2onnx.common import _container
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from cardio.export import OPSET
from cardio.table import Patients, column

SEED = 7
XGBOOST = {"n_estimators": 40, "max_depth": 5, "learning_rate": 0.1, "n_jobs": 1, "random_state": SEED}


@dataclass(frozen=True)
class Model:
    """A model that the engine is held to, and what the library that fitted it says of rows (None: written by hand)."""

    name: str
    made_by: str
    content: bytes
    library: Callable[[np.ndarray], np.ndarray] | None = None
    takes_missing: bool = True


def filled(patients: Patients) -> Patients:
    """Medians for what is missing: some learners refuse anything else."""
    medians = np.nanmedian(patients.x, axis=0)
    return Patients(np.where(np.isnan(patients.x), medians, patients.x).astype(np.float32), patients.ill)


def pain(patients: Patients) -> tuple[np.ndarray, np.ndarray]:
    """A question with four answers: the kind of chest pain, from the other twelve inputs."""
    at = column("cp")
    return np.delete(patients.x, at, axis=1), patients.x[:, at].astype(int)


def fitted(patients: Patients) -> Iterator[Model]:
    """All of them, one after the other."""
    whole = filled(patients)
    x, answer = pain(patients)
    yield from boosted(patients, x, answer)
    hist = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=12, random_state=SEED)
    yield sklearn("hist_gradient_boosting", hist, patients.x, patients.ill, takes_missing=True)
    for name, model in two_classes().items():
        yield sklearn(name, model, whole.x, whole.ill)
    for name, model in four_classes().items():
        yield sklearn(name, model, *pain(whole))


def two_classes() -> dict[str, BaseEstimator]:
    """Ill or not, from whole patients: skl2onnx 1.20 drops where these trees send what is missing."""
    return {
        "random_forest": RandomForestClassifier(25, max_depth=7, n_jobs=1, random_state=SEED),
        "decision_tree": DecisionTreeClassifier(random_state=SEED),
        "gradient_boosting": GradientBoostingClassifier(n_estimators=40, random_state=SEED),
        "logistic_regression": LogisticRegression(max_iter=5000),
        "mlp": MLPClassifier((12, 6), max_iter=3000, random_state=SEED),
    }


def four_classes() -> dict[str, BaseEstimator]:
    """The kind of pain."""
    return {
        "random_forest_classes": RandomForestClassifier(15, max_depth=5, n_jobs=1, random_state=SEED),
        "gradient_boosting_classes": GradientBoostingClassifier(n_estimators=12, random_state=SEED),
    }


def boosted(patients: Patients, x: np.ndarray, answer: np.ndarray) -> Iterator[Model]:
    """XGBoost: two classes, four classes, and a regression on the logistic scale."""
    binary = xgboost.XGBClassifier(**XGBOOST).fit(patients.x, patients.ill)
    yield from_xgboost("xgboost", binary, binary.predict_proba)
    several = xgboost.XGBClassifier(**{**XGBOOST, "n_estimators": 12}).fit(x, answer)
    yield from_xgboost("xgboost_classes", several, several.predict_proba)
    logistic = xgboost.XGBRegressor(**XGBOOST, objective="reg:logistic").fit(patients.x, patients.ill)
    yield from_xgboost("xgboost_regressor", logistic, lambda rows: logistic.predict(rows)[:, None], on_logistic_scale)


def on_logistic_scale(converted: onnx.ModelProto) -> None:
    """What onnxmltools 1.16 forgets of `reg:logistic`: that the base is a probability, and the last step.

    The step is a node of its own: onnxruntime 1.32 passes over a regressor's LOGISTIC, against the standard.
    """
    (ensemble,) = converted.graph.node
    base = next(attribute.floats for attribute in ensemble.attribute if attribute.name == "base_values")
    base[0] = math.log(base[0] / (1 - base[0]))
    (output,) = converted.graph.output
    ensemble.output[0] = "margin"
    converted.graph.node.append(onnx.helper.make_node("Sigmoid", ["margin"], [output.name]))
    converted.opset_import.append(onnx.helper.make_opsetid("", OPSET))


def from_xgboost(
    name: str,
    model: xgboost.XGBModel,
    library: Callable[[np.ndarray], np.ndarray],
    amend: Callable[[onnx.ModelProto], None] = lambda _: None,
) -> Model:
    """As onnxmltools writes it, then amended."""
    kinds = [("inputs", FloatTensorType([None, model.n_features_in_]))]
    converted = convert_xgboost(model, name=name, initial_types=kinds, target_opset=OPSET)
    amend(converted)
    return Model(name, "onnxmltools", content(converted), library)


def sklearn(
    name: str, model: BaseEstimator, x: np.ndarray, answer: np.ndarray, takes_missing: bool = False
) -> Model:
    """As skl2onnx writes it, without the ZipMap that it adds unless it is told not to."""
    model.fit(x, answer)
    with mock.patch.object(_container, "make_node", make_node):
        converted = to_onnx(model, x[:1], name=name, options={"zipmap": False}, target_opset=OPSET)
    return Model(name, "skl2onnx", content(converted), model.predict_proba, takes_missing)


def content(converted: onnx.ModelProto) -> bytes:
    """The file's bytes. skl2onnx lists the opsets in the order of a set of strings, another one in each process."""
    opsets = sorted(converted.opset_import, key=lambda opset: (opset.domain, opset.version))
    del converted.opset_import[:]
    converted.opset_import.extend(opsets)
    return converted.SerializeToString(deterministic=True)


def make_node(*arguments: object, **attributes: object) -> onnx.NodeProto:
    """For skl2onnx 1.20: onnx 1.23 refuses the numpy booleans that it hands over for a HistGradientBoosting."""
    for name, values in attributes.items():
        if isinstance(values, list):
            attributes[name] = [int(value) if isinstance(value, bool | np.bool_) else value for value in values]
    return onnx.helper.make_node(*arguments, **attributes)
