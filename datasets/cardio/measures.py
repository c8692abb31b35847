"""How good probabilities are, and how sure that is: over folds, and over patients by the bootstrap.

`probability` is always repeats x patients; what is measured is averaged over the repeats. Intervals hold 95 % of 2000
resamples of patients, ill and healthy drawn apart (percentile bootstrap, Efron 1979).
"""

import numpy as np
from sklearn.metrics import roc_auc_score

from .learners import SEED

RESAMPLES = 2000

Estimate = dict[str, float]


def over_folds(probability: np.ndarray, fold: np.ndarray, ill: np.ndarray) -> dict[str, Estimate]:
    """Mean and standard deviation over all folds of all repeats."""
    measured: dict[str, list[float]] = {"auc": [], "accuracy": [], "brier": []}
    for p, places in zip(probability, fold):
        for number in range(places.max() + 1):
            judged = places == number
            measured["auc"].append(roc_auc_score(ill[judged], p[judged]))
            measured["accuracy"].append(np.mean((p[judged] >= 0.5) == ill[judged]))
            measured["brier"].append(np.mean((p[judged] - ill[judged]) ** 2))
    return {name: {"mean": float(np.mean(found)), "sd": float(np.std(found))} for name, found in measured.items()}


def resamples(ill: np.ndarray) -> np.ndarray:
    """How often each patient is drawn: RESAMPLES x patients."""
    random = np.random.default_rng(SEED)
    drawn = np.zeros((RESAMPLES, len(ill)))
    for kind in (0, 1):
        rows = np.flatnonzero(ill == kind)
        drawn[:, rows] = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), RESAMPLES)
    return drawn


def estimate(values: np.ndarray) -> Estimate:
    """From the value on the patients as they are, followed by those on the resamples."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


def weights(ill: np.ndarray) -> np.ndarray:
    """Each patient once, then the resamples."""
    return np.vstack([np.ones(len(ill)), resamples(ill)])


def auc(probability: np.ndarray, ill: np.ndarray) -> Estimate:
    """How often an ill patient has the higher probability of a pair, ties counted half."""
    sick, well = np.flatnonzero(ill == 1), np.flatnonzero(ill == 0)
    difference = probability[:, sick, None] - probability[:, None, well]
    won = ((difference > 0) + 0.5 * (difference == 0)).mean(axis=0)
    drawn = weights(ill)
    pairs = np.einsum("ri,ij,rj->r", drawn[:, sick], won, drawn[:, well], optimize=True)
    return estimate(pairs / (len(sick) * len(well)))


def brier(probability: np.ndarray, ill: np.ndarray) -> Estimate:
    """Mean squared distance between probability and truth: 0 is perfect, 0.25 is always saying one half."""
    return estimate(weights(ill) @ ((probability - ill) ** 2).mean(axis=0) / len(ill))


def at_threshold(probability: np.ndarray, ill: np.ndarray, threshold: float) -> dict[str, Estimate]:
    """Sensitivity: the share of the ill at or above the threshold. Specificity: the share of the healthy below it."""
    flagged = (probability >= threshold).mean(axis=0)
    drawn = weights(ill)
    sick, well = ill == 1, ill == 0
    return {
        "sensitivity": estimate(drawn[:, sick] @ flagged[sick] / sick.sum()),
        "specificity": estimate(drawn[:, well] @ (1 - flagged[well]) / well.sum()),
    }


def calibration_line(probability: np.ndarray, ill: np.ndarray) -> dict[str, float]:
    """Slope and intercept of the truth's log-odds on the probability's (Cox 1958): 1 and 0 are perfect."""
    score = np.log(probability / (1 - probability)).ravel()
    truth = np.tile(ill, len(probability))
    design = np.column_stack([np.ones_like(score), score])
    line = np.array([0.0, 1.0])
    for _ in range(50):  # Newton's method; it has converged long before
        p = 1 / (1 + np.exp(-design @ line))
        line += np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design, design.T @ (truth - p))
    return {"slope": float(line[1]), "intercept": float(line[0])}


def calibration_curve(probability: np.ndarray, ill: np.ndarray, bins: int = 8) -> list[dict[str, float]]:
    """Bins with equally many patients each: the mean probability, and the share of ill with its interval."""
    edges = np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1])
    place = np.searchsorted(edges, probability, side="right")
    drawn = weights(ill)
    curve = []
    for number in range(bins):
        inside = (place == number).mean(axis=0)
        predicted = (probability * (place == number)).sum() / (place == number).sum()
        curve.append({"predicted": float(predicted), **estimate(drawn @ (inside * ill) / (drawn @ inside))})
    return curve
