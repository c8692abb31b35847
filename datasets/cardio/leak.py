"""What a careless split would have claimed: the published table's copies, judged by models that had learnt them."""

import pathlib

import numpy as np

import published

from .folds import cross_validate, grouped, overlap, stratified
from .learners import Learner, stock_learner, xgboost_learner
from .measures import Estimate, over_folds
from .table import Patients, inputs


def published_rows(wheel: pathlib.Path) -> Patients:
    """All 1025 rows as they were published, copies and demonstration patients included; `target` 0 is the ill."""
    rows = published.read(wheel, published.HEART)
    ill = np.array([1 - int(row["target"]) for row in rows])
    return Patients(np.array([inputs(row) for row in rows], np.float32), ill)


def measure(wheel: pathlib.Path) -> dict[str, object]:
    """AUC on all rows, split by row and split by patient, and the share of judged rows that the former had learnt."""
    rows = published_rows(wheel)
    return {
        "rows": len(rows),
        "learnt_before": overlap(rows),
        "xgboost": by_split(rows, xgboost_learner),
        "stock": by_split(rows, stock_learner),
    }


def by_split(rows: Patients, learner: Learner) -> dict[str, Estimate]:
    """The AUC of one learner, both ways."""
    splits = {"by_row": stratified, "by_patient": grouped}
    return {name: over_folds(*cross_validate(rows, learner, split), rows.ill)["auc"] for name, split in splits.items()}
