"""Dockerfile: hadolint, and what it does not know of us."""

import fnmatch
import re

from place import beside_python, run


def faults(place):
    code, output = run(beside_python("hadolint"), "--no-color", place.deploy / "Dockerfile")
    found = [f"hadolint: {line}" for line in output.splitlines()] if code != 0 else []
    text = (place.deploy / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    if not re.search(r"^USER [1-9]\d*(:[1-9]\d*)?$", last, re.MULTILINE):
        found.append(
            "Dockerfile: USER is to be a number that is not 0: Kubernetes cannot tell of a name that it is not root"
        )
    if "\nHEALTHCHECK " not in last:
        found.append("Dockerfile: HEALTHCHECK is missing")
    sent = [
        line[1:] for line in (place.deploy / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    for source in copied(text):
        if not (place.root / source).exists():
            found.append(f"Dockerfile: COPY {source}: it is not there")
        if not any(source == path or source.startswith(path + "/") or fnmatch.fnmatch(source, path) for path in sent):
            found.append(f"Dockerfile: COPY {source}: Dockerfile.dockerignore keeps it from the daemon")
    return found


def copied(text):
    """What the stages take from the checkout."""
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        yield from line.split()[:-1]
