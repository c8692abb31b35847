#!/usr/bin/env python3
"""Rows per second of the engine and of onnxruntime on one thread, in turn, on the same rows in batches of 256.

    rate.py RATE [MODEL ...]

RATE is the engine's program (`engine/model/examples/rate.rs`), MODEL a name among the engine's fixtures (cardio and
full_forest unless one is named). Prints a table of medians. Run it by `make bench-score`.
"""

import pathlib
import statistics
import struct
import subprocess
import sys
import time

import numpy as np
import onnxruntime

DATASETS = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = DATASETS.parent / "engine" / "model" / "tests" / "fixtures"
ROUNDS = 9
SECONDS = 0.5
BATCH = 256
BATCHES = 16


def given(path: pathlib.Path) -> list[np.ndarray]:
    """The same batches as the engine's program takes."""
    content = path.read_bytes()
    count, inputs, _ = struct.unpack_from("<III", content, 8)
    rows = np.frombuffer(content, "<f4", count * inputs, 20).reshape(count, inputs)
    return np.split(np.resize(rows, (BATCHES * BATCH, inputs)), BATCHES)


class Runtime:
    """onnxruntime on one thread, its threads at rest between runs."""

    def __init__(self, model: pathlib.Path, rows: pathlib.Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[-1].name
        self.batches = given(rows)

    def rate(self) -> float:
        """Rows per second of a round."""
        begun, scored = time.perf_counter(), 0
        while time.perf_counter() - begun < SECONDS:
            for batch in self.batches:
                self.session.run([self.output], {self.input: batch})
                scored += len(batch)
        return scored / (time.perf_counter() - begun)


def measured(program: str, name: str) -> tuple[float, float]:
    """Medians of the engine's rounds and of onnxruntime's, one after the other."""
    model = DATASETS / "cardio.onnx" if name == "cardio" else FIXTURES / f"{name}.onnx"
    rows = FIXTURES / f"{name}.rows"
    runtime = Runtime(model, rows)
    ours, theirs = [], []
    with subprocess.Popen([program, model, rows], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as engine:
        for _ in range(ROUNDS):
            engine.stdin.write("\n")
            engine.stdin.flush()
            ours.append(float(engine.stdout.readline()))
            theirs.append(runtime.rate())
        engine.stdin.close()
    return statistics.median(ours), statistics.median(theirs)


def main() -> None:
    program, *names = sys.argv[1:]
    print("| model | engine, rows/s | onnxruntime, rows/s | ratio |\n|---|--:|--:|--:|")
    for name in names or ["cardio", "full_forest"]:
        ours, theirs = measured(program, name)
        print(f"| {name} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.1f} |")


if __name__ == "__main__":
    main()
