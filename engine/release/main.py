#!/usr/bin/env python3
"""Packs a release: archive, bill of materials, licences, checksums. `--check` packs twice and compares."""

import argparse
import hashlib
import pathlib
import sys
import tempfile

import archive
import crates
import licences
import sbom


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", type=pathlib.Path, required=True, help="the program")
    arguments.add_argument("--output", type=pathlib.Path, required=True, help="the folder for what is packed")
    arguments.add_argument("--target", default="x86_64-unknown-linux-gnu", help="what the program was built for")
    arguments.add_argument("--check", action="store_true", help="pack a second time, and compare")
    told = arguments.parse_args()
    if not told.binary.is_file():
        sys.exit(f"there is no program at {told.binary}: build it first, or name another by BINARY")
    try:
        sums = pack(told.binary, told.target, told.output)
        if told.check:
            with tempfile.TemporaryDirectory() as second:
                if pack(told.binary, told.target, pathlib.Path(second)) != sums:
                    sys.exit("packed twice, the bytes differ")
            print("packed twice: the same bytes")
    except licences.Missing as missing:
        sys.exit(str(missing))
    print(sums, end="")


def pack(binary, target, output):
    """Writes everything; the text of SHA256SUMS."""
    known = crates.metadata(target)
    linked = crates.linked(known)
    own = {package["name"] for package in known["packages"] if package["id"] in known["workspace_members"]}
    version = next(package["version"] for package, _ in linked.values() if package["name"] == crates.PROGRAM)
    name = f"triage-{version}-{target}"
    materials = sbom.sbom(linked, crates.checksums(), crates.PROGRAM)
    texts = licences.licences(linked, own)
    entries = {**archive.files(), "bin/triage": binary, "LICENCES.txt": texts, "sbom.cdx.json": materials}
    made = {
        f"{name}.tar.gz": archive.archive(name, entries, archive.commit_time()),
        f"{name}.cdx.json": materials.encode(),
        f"{name}-LICENCES.txt": texts.encode(),
    }
    output.mkdir(parents=True, exist_ok=True)
    for file, content in made.items():
        (output / file).write_bytes(content)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {file}\n" for file, content in sorted(made.items()))
    (output / "SHA256SUMS").write_text(sums)
    return sums


if __name__ == "__main__":
    main()
