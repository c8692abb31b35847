"""The manifests: the API's schemas, what they refer to, and what keeps a pod closed."""

import re

import kubernetes_validate

from place import documented, seconds

VERSION = "1.37"
# Made by commands of docs/deployment.md, not by files.
MADE_BY_HAND = {("configMap", "triage-rules"), ("configMap", "triage-models"), ("secret", "triage-secrets")}
# A ConfigMap takes no more.
LARGEST = 1024 * 1024


def faults(place):
    listed = place.yaml("k8s/kustomization.yaml")["resources"]
    there = sorted(path.name for path in (place.deploy / "k8s").glob("*.yaml") if path.name != "kustomization.yaml")
    found = [f"k8s/kustomization.yaml does not list {name}" for name in there if name not in listed]
    manifests = {name: place.yaml(f"k8s/{name}") for name in listed if name in there}
    found += [f"k8s/kustomization.yaml lists {name}, which is not there" for name in listed if name not in there]
    for name, manifest in manifests.items():
        try:
            kubernetes_validate.validate(manifest, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(str(part) for part in error.path)
            found.append(f"k8s/{name}: {where}: {error.message}")
        if manifest["kind"] == "Secret":
            found.append(
                f"k8s/{name}: a secret belongs in no file of the repository: `kubectl create secret`, docs/deployment.md"
            )
    if found:
        return found
    kinds = {manifest["kind"]: manifest for manifest in manifests.values()}
    found += pods(place, kinds)
    for files in ("rules/hospital/*.rules", "datasets/cardio.*"):
        size = sum(path.stat().st_size for path in place.root.glob(files))
        if size > LARGEST:
            found.append(f"{files} have {size} bytes: a ConfigMap takes {LARGEST}")
    page = (place.root / "docs/deployment.md").read_text()
    found += [
        f"k8s/network.yaml lets in who has the label `{label}`, and docs/deployment.md does not say how to give it"
        for label in let_in(kinds["NetworkPolicy"])
        if f"kubectl label namespace NAME {label}`" not in page
    ]
    found += [f"docs/deployment.md does not say how `{name}` is made" for _, name in MADE_BY_HAND if name not in page]
    for secret in re.findall(r"/run/secrets/triage/([\w-]+)", kinds["ConfigMap"]["data"]["triage.toml"]):
        if f"--from-file={secret}=" not in page:
            found.append(f"k8s/config.yaml names `{secret}`, which docs/deployment.md does not put into triage-secrets")
    return found


def let_in(policy):
    """Labels of namespaces that clients are in; names are labels that every namespace has."""
    for source in policy["spec"]["ingress"][0]["from"]:
        for key, value in source["namespaceSelector"]["matchLabels"].items():
            if key != "kubernetes.io/metadata.name":
                yield f"{key}={value}"


def pods(place, kinds):
    engine = kinds["StatefulSet"]
    template = engine["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    selectors = {
        "StatefulSet": engine["spec"]["selector"]["matchLabels"],
        "Service": kinds["Service"]["spec"]["selector"],
        "PodDisruptionBudget": kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    }
    for kind, selector in selectors.items():
        if not selector.items() <= labels:
            yield f"k8s: the {kind} selects no pod of ours"
    if engine["spec"]["replicas"] <= kinds["PodDisruptionBudget"]["spec"]["maxUnavailable"]:
        yield "k8s: the PodDisruptionBudget lets all engines go at once"
    pod = template["spec"]
    grace = seconds(documented(place, "engine.stop_grace"))
    if pod["terminationGracePeriodSeconds"] <= grace:
        yield f"k8s/engine.yaml: terminationGracePeriodSeconds is to be more than engine.stop_grace, {grace:.0f} s"
    yield from mounts(kinds, pod)
    yield from closed(pod)


def mounts(kinds, pod):
    container = pod["containers"][0]
    made = MADE_BY_HAND | {("configMap", kinds["ConfigMap"]["metadata"]["name"])}
    for volume in pod["volumes"]:
        kind = next(key for key in volume if key != "name")
        name = volume[kind].get("name") or volume[kind].get("secretName")
        if (kind, name) not in made:
            yield f"k8s/engine.yaml: nobody makes the {kind} `{name}`"
    volumes = {volume["name"] for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        if mount["name"] not in volumes:
            yield f"k8s/engine.yaml: there is no volume `{mount['name']}`"
        if mount["name"] == "rules" and "subPath" in mount:
            yield "k8s/engine.yaml: rules that are mounted with subPath never change: mount the whole folder"
    ports = {port["name"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe"):
        if container[probe]["httpGet"]["port"] not in ports:
            yield f"k8s/engine.yaml: {probe} asks a port that the container does not have"
    for variable in container["env"]:
        if any(word in variable["name"] for word in ("PASSWORD", "SECRET", "TOKEN", "_URI")) and "value" in variable:
            yield f"k8s/engine.yaml: `{variable['name']}` holds a secret, which belongs in triage-secrets"


def closed(pod):
    inside, around = pod["containers"][0]["securityContext"], pod["securityContext"]
    for name, is_so in {
        "runAsNonRoot: true": around.get("runAsNonRoot") is True,
        "seccompProfile: RuntimeDefault": around.get("seccompProfile") == {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation: false": inside.get("allowPrivilegeEscalation") is False,
        "readOnlyRootFilesystem: true": inside.get("readOnlyRootFilesystem") is True,
        "capabilities: drop ALL": inside.get("capabilities") == {"drop": ["ALL"]},
        "automountServiceAccountToken: false": pod.get("automountServiceAccountToken") is False,
        "limits of cpu and memory": set(pod["containers"][0].get("resources", {}).get("limits", {}))
        == {"cpu", "memory"},
    }.items():
        if not is_so:
            yield f"k8s/engine.yaml: {name} is missing"
