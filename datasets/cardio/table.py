"""Patients as numbers: the inputs in the table's order, NaN for what was not measured. `Temp`, made up, is no input."""

import csv
import pathlib
from dataclasses import dataclass

import numpy as np

from published import INPUTS

FOLDER = pathlib.Path(__file__).resolve().parent.parent

# Codes for "not measured", as rules/hospital declares them.
MISSING = {"trestbps": 0.0, "chol": 0.0, "ca": 4.0, "thal": 0.0}


@dataclass(frozen=True)
class Patients:
    """One row a patient: the inputs as float32 with NaN for what was not measured, and 1 for the ill, 0 for the healthy."""

    x: np.ndarray
    ill: np.ndarray

    def __len__(self) -> int:
        return len(self.ill)

    def only(self, rows: np.ndarray) -> "Patients":
        """Those whose place in `rows`, a mask, is true."""
        return Patients(self.x[rows], self.ill[rows])


def column(name: str) -> int:
    """The place of an input."""
    return INPUTS.index(name)


def inputs(row: dict[str, str]) -> list[float]:
    """The inputs of one row of a CSV file; NaN where the code says that nothing was measured."""
    values = {name: float(row[name]) for name in INPUTS}
    return [np.nan if values[name] == MISSING.get(name) else values[name] for name in INPUTS]


def from_rows(rows: list[dict[str, str]]) -> Patients:
    """Rows of heart.csv as numbers."""
    return Patients(np.array([inputs(row) for row in rows], np.float32), np.array([int(row["disease"]) for row in rows]))


def heart() -> tuple[Patients, Patients]:
    """The patients to learn from, and the ten of the demonstration, in the order in which the gateway sends them."""
    rows = read(FOLDER / "heart.csv")
    shown = {key(row): at for at, row in enumerate(read(FOLDER / "patients.csv"))}
    learning = [row for row in rows if key(row) not in shown]
    demonstration = sorted((row for row in rows if key(row) in shown), key=lambda row: shown[key(row)])
    if len(demonstration) != len(shown):
        raise ValueError(f"{len(demonstration)} of the {len(shown)} patients of patients.csv are in heart.csv")
    return from_rows(learning), from_rows(demonstration)


def key(row: dict[str, str]) -> tuple[float, ...]:
    """What makes two rows the same patient: all inputs as written. `Temp` is left out: it was made up."""
    return tuple(float(row[name]) for name in INPUTS)


def read(path: pathlib.Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with open(path, encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))
