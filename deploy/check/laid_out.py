"""Rules and models where each deployment puts them: they compile there."""

import re
import shutil
import tempfile
import tomllib
from pathlib import Path

from place import run


def faults(place):
    found = []
    for where, config, puts in deployments(place):
        with tempfile.TemporaryDirectory() as folder:
            for source, target in puts:
                put(place.root, Path(folder), source, target)
            found += [f"{where}: {fault}" for fault in compiles(place, Path(folder), config)]
    return found


def deployments(place):
    """Who, its configuration, and what it puts where: paths in the checkout, and where the engine finds them."""
    container = place.toml("container.toml")
    yield "Dockerfile", container, in_image((place.deploy / "Dockerfile").read_text())
    mounts = [volume.split(":") for volume in place.yaml("compose.yaml")["services"]["engine"]["volumes"]]
    yield "compose.yaml", container, [(f"deploy/{source}", target) for source, target, _ in mounts]
    page = (place.root / "docs/deployment.md").read_text()
    config = tomllib.loads(place.yaml("k8s/config.yaml")["data"]["triage.toml"])
    yield "k8s/engine.yaml", config, in_pod(place, page)
    yield "systemd/triage.toml", place.toml("systemd/triage.toml"), installed(page)


def in_image(text):
    for line in re.findall(r"^COPY (?!--from)(.*)$", text[text.rindex("\nFROM ") :], re.MULTILINE):
        *sources, target = line.split()
        yield from ((source, target) for source in sources)


def in_pod(place, page):
    """The ConfigMaps that the page says how to make, where they are mounted."""
    pod = place.yaml("k8s/engine.yaml")["spec"]["template"]["spec"]
    maps = {volume["name"]: volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    for mount in pod["containers"][0]["volumeMounts"]:
        made = re.search(rf"^kubectl create configmap {maps.get(mount['name'])} .*$", page, re.MULTILINE)
        for source in re.findall(r"--from-file=(\S+)", made[0]) if made else []:
            yield source, mount["mountPath"] + "/"


def installed(page):
    for words in re.findall(r"install -m 644 (.*)$", page, re.MULTILINE):
        *sources, target = words.split()
        yield from ((source, target) for source in sources)


def put(root, folder, source, target):
    """As `COPY`, a mount and `install` do it: what is in a folder, or a file; into a folder, or by a name."""
    into = folder / target.lstrip("/")
    for path in sorted(root.glob(source)) if "*" in source else [root / source]:
        if path.is_dir():
            shutil.copytree(path, into, dirs_exist_ok=True)
        elif path.is_file():
            by_name = not target.endswith("/") and Path(target).suffix == path.suffix
            file = into if by_name else into / path.name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, file)


def compiles(place, folder, config):
    rules = config["rules"]["path"]
    here = folder / rules.lstrip("/")
    if not list(here.glob("*.rules")):
        return [f"nothing is put where the rules are looked for, {rules}"]
    code, output = run(place.triage, "check", "--deny", "warnings", here)
    return [] if code == 0 else [output.strip().replace(str(folder), "")]
