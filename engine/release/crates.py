"""The crates that are in the program, from `cargo metadata`, with their checksums from Cargo.lock."""

import json
import os
import pathlib
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = "triage"


def metadata(target):
    """What Cargo knows of the workspace's dependencies on `target`, a triple."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    told = subprocess.run([os.environ.get("CARGO", command[0]), *command[1:]], cwd=ROOT, check=True, capture_output=True)
    return json.loads(told.stdout)


def linked(known):
    """The packages whose code is in the program, by id: what it depends on, and C sources that a build brings along."""
    packages = {package["id"]: package for package in known["packages"]}
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    begin = next(id for id in known["workspace_members"] if packages[id]["name"] == PROGRAM)
    found, waiting = {}, [begin]
    while waiting:
        id = waiting.pop()
        if id not in found:
            found[id] = sorted(dependency["pkg"] for dependency in nodes[id]["deps"] if is_linked(dependency, packages))
            waiting.extend(found[id])
    return {id: (packages[id], found[id]) for id in sorted(found, key=lambda id: order(packages[id]))}


def is_linked(dependency, packages):
    kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
    # OpenSSL's sources, say, are a dependency of a build script alone.
    return None in kinds or ("build" in kinds and packages[dependency["pkg"]]["name"].endswith("-src"))


def order(package):
    return package["name"], package["version"]


def checksums():
    """SHA-256 of each crate's archive, by name and version."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {order(package): package["checksum"] for package in lock["package"] if "checksum" in package}
