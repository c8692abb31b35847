"""The list of licences, and the texts that have to go with the program."""

import pathlib

from sbom import expression

NAMES = ("licen", "copying", "notice", "unlicense", "copyright")


class Missing(Exception):
    """A crate says nothing of its licence."""


def licences(crates, own):
    """The text: which crates are under which licence, then each text once, with those whose it is. `own` are our packages."""
    by_licence, by_text, without = {}, {}, []
    for package, _ in crates.values():
        if package["name"] in own:
            continue
        name = f"{package['name']} {package['version']}"
        if not package["license"]:
            raise Missing(f"{name} names no licence: see what it is under, and add it to engine/release/licences.py")
        by_licence.setdefault(expression(package["license"]), []).append(name)
        texts = texts_of(pathlib.Path(package["manifest_path"]).parent)
        for text in texts:
            by_text.setdefault(text, []).append(name)
        if not texts:
            without.append(f"{name}: {expression(package['license'])}, by {', '.join(package['authors']) or 'its contributors'}")
    parts = ["Triage is under Apache-2.0 or MIT, at your choice. In it are these crates, each under its own licence.\n"]
    parts += [f"{licence}:\n  {', '.join(names)}\n" for licence, names in sorted(by_licence.items())]
    if without:
        parts.append("Without a text of their own:\n" + "".join(f"  {line}\n" for line in without))
    for text, names in sorted(by_text.items(), key=lambda item: item[1]):
        parts.append(f"{'=' * 80}\n{', '.join(names)}\n{'-' * 80}\n{text.rstrip()}\n")
    return "\n".join(parts)


def texts_of(folder):
    """What stands in the crate's folder, and beside the C sources that it brings along."""
    files = [path for path in folder.iterdir() if is_text(path)]
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in ("src", "tests", "benches")):
        files += [path for path in inner.iterdir() if is_text(path)]
    return [path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n") for path in sorted(files)]


def is_text(path):
    return path.is_file() and path.name.lower().startswith(NAMES) and path.suffix.lower() in ("", ".md", ".txt", ".apache", ".mit")
