"""The bill of materials: CycloneDX 1.5, with nothing in it that differs from one run to the next."""

import json


def sbom(crates, checksums, program):
    """The text; `program` is the name that is not a component of itself."""
    refs = {id: purl(package) for id, (package, _) in crates.items()}
    own = next(id for id, (package, _) in crates.items() if package["name"] == program)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(crates[own][0], refs[own], checksums, "application")},
        "components": [
            component(package, refs[id], checksums, "library") for id, (package, _) in crates.items() if id != own
        ],
        "dependencies": [
            {"ref": refs[id], "dependsOn": sorted(refs[other] for other in needs)} for id, (_, needs) in crates.items()
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"


def component(package, ref, checksums, kind):
    described = {"type": kind, "bom-ref": ref, "name": package["name"], "version": package["version"], "purl": ref}
    if package["license"]:
        described["licenses"] = [{"expression": expression(package["license"])}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return described


def expression(licence):
    """As SPDX has it: Cargo still takes a slash for `OR`."""
    return " OR ".join(part.strip() for part in licence.split("/"))
