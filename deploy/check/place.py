"""What is looked at, and with what."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Place:
    """A checkout, and the tools that look at it."""

    root: Path
    triage: Path
    prometheus: Path
    alertmanager: Path
    systemd: Path
    kafka: Path

    @property
    def deploy(self):
        return self.root / "deploy"

    def moved(self, root):
        return replace(self, root=root)

    def yaml(self, name):
        return yaml.safe_load((self.deploy / name).read_text())

    def toml(self, name):
        return tomllib.loads((self.deploy / name).read_text())


def run(*command, **more):
    """Exit code and everything that was printed; no code is of what does not end."""
    more = {"timeout": 300, "stdin": subprocess.DEVNULL} | more
    words = [str(word) for word in command]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(words, check=False, text=True, **pipes, **more)
    except subprocess.TimeoutExpired as error:
        return None, str(error)
    return done.returncode, done.stdout


def beside_python(name):
    """A program that came with a requirement."""
    return Path(sys.executable).parent / name


def from_environment(root):
    tools = ("triage", "prometheus", "alertmanager", "systemd", "kafka")
    return Place(root=root, **{name: Path(os.environ[name.upper()]) for name in tools})


def seconds(text):
    """`30s`, `2m`, or seconds alone."""
    units = {"s": 1, "m": 60, "h": 3600}
    text = str(text)
    return float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)


def documented(place, key):
    """The default of a key, as the program has it; a test holds the page to it."""
    page = (place.root / "docs/configuration.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| `{key}` |"))
    return row.split("|")[2].strip(" `")
