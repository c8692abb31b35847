"""Repeated stratified cross-validation: each patient is judged by models that never saw that patient."""

from collections.abc import Callable, Iterator

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from .learners import SEED, Learner
from .table import Patients

FOLDS = 5
REPEATS = 10

# The rows to learn from and the rows to judge, of each fold in turn.
Split = Iterator[tuple[np.ndarray, np.ndarray]]


def stratified(patients: Patients, repeat: int) -> Split:
    """Folds by row, with the same share of ill in each. Rows of one patient may stand on both sides: give unique rows."""
    return StratifiedKFold(FOLDS, shuffle=True, random_state=SEED + repeat).split(patients.x, patients.ill)


def grouped(patients: Patients, repeat: int) -> Split:
    """Folds by patient: copies of a row stay on one side."""
    _, groups = np.unique([row.tobytes() for row in patients.x], return_inverse=True)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED + repeat)
    return folds.split(patients.x, patients.ill, groups)


def cross_validate(
    patients: Patients,
    learner: Learner,
    split: Callable[[Patients, int], Split] = stratified,
    hide: tuple[int, ...] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each patient in each repeat, and the fold (0 to 4) that judged it: both REPEATS x patients.

    The inputs in `hide` are taken from the patients who are judged, not from those who are learnt from.
    """
    probability = np.zeros((REPEATS, len(patients)))
    fold = np.zeros((REPEATS, len(patients)), int)
    for repeat in range(REPEATS):
        for number, (learn, judge) in enumerate(split(patients, repeat)):
            x = patients.x[judge].copy()
            x[:, hide] = np.nan
            probability[repeat, judge] = learner(patients.only(learn))(x)
            fold[repeat, judge] = number
    return probability, fold


def overlap(patients: Patients) -> float:
    """Over `stratified`, the share of judged rows that were also learnt from."""
    seen = []
    for repeat in range(REPEATS):
        for learn, judge in stratified(patients, repeat):
            learnt = {row.tobytes() for row in patients.x[learn]}
            seen += [row.tobytes() in learnt for row in patients.x[judge]]
    return float(np.mean(seen))
