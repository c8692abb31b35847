#!/usr/bin/env python3
"""Makes the models that the engine's scores are held to, rows to ask them about, and onnxruntime's answers.

    make.py [--rows 300] [--output DIR] [--check]

Into DIR (the engine's fixtures unless it is said): for each model NAME.onnx and NAME.rows, models.json with what they
are, refused/ with files that no engine should take, cardio.shap.json, and explained/ with models whose files tell what
moves their scores. README.md there states the formats. Run it by `make parity-models`.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnx

DATASETS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(DATASETS))

from cardio import learners, table  # noqa: E402
from output import check_or_write  # noqa: E402
from parity import answers, explained, fitted, forest, networks, refused, rows, shap_values, trees  # noqa: E402

FIXTURES = DATASETS.parent / "engine" / "model" / "tests" / "fixtures"
HEART_SCORE = "cardio"


def models(patients: table.Patients, cardio: bytes) -> list[fitted.Model]:
    """Every model that is asked, the heart score first."""
    heart = learners.forest(patients)
    score = fitted.Model(HEART_SCORE, "onnxmltools", cardio, heart.predict_proba)
    return [score, *fitted.fitted(patients), *networks.networks(patients), *trees.written(patients.x)]


def asked(model: fitted.Model, patients: table.Patients, count: int) -> tuple[dict[str, object], bytes]:
    """The model's entry in models.json, and the content of its NAME.rows."""
    graph = onnx.load_from_string(model.content).graph
    inputs = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    x = patients.x if inputs == patients.x.shape[1] else fitted.pain(patients)[0]
    ensemble = forest.read(onnx.load_from_string(model.content))
    given = rows.rows(x, ensemble and ensemble.cuts(inputs), count, seed=len(model.name))
    found = answers.answers(model.content, given)
    entry: dict[str, object] = {
        "name": model.name,
        "made_by": model.made_by,
        "operators": [node.op_type for node in graph.node],
        "inputs": inputs,
        "outputs": [output.name for output in graph.output],
        "classes": found.shape[1],
        "missing_gives_nan": bool(np.isnan(found).any()),
    }
    if ensemble:
        entry |= {"trees": len(ensemble.trees), "nodes": ensemble.nodes()}
    if model.library:
        entry["library_difference"] = difference(model, given, found)
    return entry, answers.file(given, found)


def difference(model: fitted.Model, given: np.ndarray, found: np.ndarray) -> float:
    """How far onnxruntime is from the library that fitted the model, without ties and extremes.

    There scikit-learn, which compares with float64, and the file, which has float32, part by construction.
    """
    kinds = np.array_split(np.arange(len(given)), len(rows.KINDS))
    usual = np.concatenate([places for kind, places in zip(rows.KINDS, kinds) if kind not in ("ties", "extremes")])
    if not model.takes_missing:
        usual = usual[~np.isnan(given[usual]).any(axis=1)]
    return float(f"{np.abs(found[usual] - model.library(given[usual])).max():.1e}")


def files(count: int) -> dict[str, bytes]:
    """Every file with its content, by its path in DIR. The heart score's own model stays where it is."""
    patients, _ = table.heart()
    cardio = (DATASETS / "cardio.onnx").read_bytes()
    made, entries, reasons = {}, [], []
    for model in models(patients, cardio):
        entry, made[f"{model.name}.rows"] = asked(model, patients, count)
        entries.append(entry)
        if model.name != HEART_SCORE:
            made[f"{model.name}.onnx"] = model.content
    for file in refused.refused(patients, cardio):
        made[f"refused/{file.name}.onnx"] = file.content
        reasons.append({"name": file.name, "why": file.why})
    for model in explained.explained(patients):
        made[f"explained/{model.name}.onnx"] = model.content
        made[f"explained/{model.name}.shap.json"] = lines(model.entries)
    return made | {
        "models.json": lines(entries),
        "refused/refused.json": lines(reasons),
        "cardio.shap.json": lines(shap_values.of_cardio(learners.forest(patients), cardio, patients)),
    }


def lines(entries: list[dict[str, object]]) -> bytes:
    """A JSON list with an entry a line."""
    return ("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n").encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300, help="rows per model [default: %(default)s]")
    parser.add_argument("--output", type=pathlib.Path, default=FIXTURES)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    told = parser.parse_args()
    for path, content in files(told.rows).items():
        check_or_write(told.output / path, content, told.check)


if __name__ == "__main__":
    main()
