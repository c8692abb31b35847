#!/usr/bin/env python3
"""Makes datasets/patients.csv: ten patients out of datasets/heart.csv.

    make_demo_patients.py [--output FILE] [--check]

--check writes nothing and fails if the file on disk is not what the script would write. Needs nothing besides Python's
standard library.
"""

import argparse
import csv
import pathlib
import random

from output import check_or_write

HERE = pathlib.Path(__file__).resolve().parent
SEED = 2026
PATIENTS = 10
FEVERISH = 3
COLUMNS = "age sex cp trestbps Temp chol fbs restecg thalach exang oldpeak slope ca thal".split()

# One patient for each of these first, in this order, so that the demonstration shows every department at once and
# begins with an emergency; the others are whoever the seed draws. Coding: README.md.
WANTED = [
    lambda row: row["trestbps"] >= 180 and row["restecg"] == 0 and row["fbs"] == 1,  # crisis, LV hypertrophy, sugar
    lambda row: row["restecg"] == 2 and row["trestbps"] < 140,  # ST-T abnormality alone
    lambda row: row["cp"] == 3 and row["exang"] == 1,  # typical angina, also on exercise
    lambda row: row["chol"] > 290 and row["trestbps"] < 140,  # cholesterol alone
    lambda row: row["ca"] == 4 or row["thal"] == 0,  # something that was not measured
    lambda row: row["trestbps"] <= 100,  # low pressure
]


def numbers(row):
    return {name: float(text) for name, text in row.items()}


def choose(rows, rng):
    """One row for each wanted picture, then whoever comes next; `random()` alone is stable across Python versions."""
    drawn = [row for _, row in sorted(((rng.random(), at) for at in range(len(rows))))]
    chosen = []
    for wanted in WANTED:
        chosen.append(next(at for at in drawn if at not in chosen and wanted(numbers(rows[at]))))
    chosen += [at for at in drawn if at not in chosen][: PATIENTS - len(chosen)]
    return [rows[at] for at in chosen]


def temperatures(rng):
    """Synthetic: the public table has no temperature. FEVERISH of them in 38.1..41, the others in 36.2..37.6."""
    fever = set(sorted(range(PATIENTS), key=lambda _: rng.random())[:FEVERISH])
    spans = [(38.1, 41.0) if at in fever else (36.2, 37.6) for at in range(PATIENTS)]
    return [f"{low + rng.random() * (high - low):.1f}" for low, high in spans]


def render():
    rng = random.Random(SEED)
    with open(HERE / "heart.csv", encoding="ascii") as table:
        patients = choose(list(csv.DictReader(table)), rng)
    lines = [",".join(COLUMNS)]
    for row, temperature in zip(patients, temperatures(rng)):
        row = {**row, "Temp": temperature}  # `disease` is left out: it is not known at the bedside
        lines.append(",".join(row[name] for name in COLUMNS))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "patients.csv")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    check_or_write(arguments.output, render().encode(), arguments.check)


if __name__ == "__main__":
    main()
