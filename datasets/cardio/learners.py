"""What is fitted: the forest that becomes cardio.onnx, and the logistic regression that it is held against."""

from collections.abc import Callable

import numpy as np
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from published import INPUTS

from .table import Patients, column

SEED = 2026

# Small steps, shallow trees and a strong penalty: there are fewer than 300 patients to learn from.
SETTINGS = {
    "n_estimators": 100,
    "max_depth": 4,
    "learning_rate": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 5,
    "reg_lambda": 5,
}

# Codes without an order.
NOMINAL = ("cp", "restecg", "slope", "thal")

# Fits to patients; gives what turns inputs into the probability of disease.
Learner = Callable[[Patients], Callable[[np.ndarray], np.ndarray]]


def forest(patients: Patients) -> xgboost.XGBClassifier:
    """The forest. One thread and a fixed seed, so that the same patients give the same file."""
    model = xgboost.XGBClassifier(**SETTINGS, tree_method="hist", n_jobs=1, random_state=SEED)
    return model.fit(patients.x, patients.ill)


def xgboost_learner(patients: Patients) -> Callable[[np.ndarray], np.ndarray]:
    """The forest as a learner."""
    model = forest(patients)
    return lambda x: model.predict_proba(x)[:, 1].astype(float)


def stock_learner(patients: Patients) -> Callable[[np.ndarray], np.ndarray]:
    """XGBoost with the settings it comes with: what a first try would have used. It learns by heart more than the forest."""
    model = xgboost.XGBClassifier(n_jobs=1, random_state=SEED).fit(patients.x, patients.ill)
    return lambda x: model.predict_proba(x)[:, 1].astype(float)


def logistic_learner(patients: Patients) -> Callable[[np.ndarray], np.ndarray]:
    """Logistic regression, codes one-hot, numbers standardised; the median or the commonest code for what is missing."""
    nominal = [column(name) for name in NOMINAL]
    numbers = [at for at in range(len(INPUTS)) if at not in nominal]
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), nominal),
    )
    model = make_pipeline(prepare, LogisticRegression(max_iter=1000)).fit(patients.x, patients.ill)
    return lambda x: model.predict_proba(x)[:, 1]
