"""compose.yaml: its schema, what it refers to, and what keeps it closed."""

import json
import re
import tempfile
from pathlib import Path

from compose_spec import PyCompose

from place import documented, run, seconds

OURS = "triage:latest"
# What secrets.sh makes for nobody else.
KEPT = {"authority-key"}


def faults(place):
    told = place.yaml("compose.yaml")
    try:
        PyCompose.from_json(json.dumps(told)).validate()
    except ValueError as error:
        return [f"compose.yaml: {error}"]
    found = [*secrets(place, told), *passwords(place, told), *named_in_files(place, told)]
    found += [f"compose.yaml: kafka: {fault}" for fault in of_kafka(told["services"]["kafka"]["environment"])]
    found += [f"compose.yaml: mongodb: {fault}" for fault in of_mongodb(place, told["services"]["mongodb"])]
    for name, service in told["services"].items():
        if name != "engine" and has_secret(service, "http-token"):
            found.append(f"compose.yaml: {name} has the token that opens everything: `metrics-token` is for reading")
        found += [f"compose.yaml: {name}: {fault}" for fault in of_service(place, told, service)]
    return found


def of_service(place, told, service):
    image = service["image"]
    if image != OURS and (":" not in image or image.endswith(":latest")):
        yield f"`{image}` is another image every time: name a version"
    if "mem_limit" not in service:
        yield "`mem_limit` is missing: it could take the memory of all others"
    for port in service.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            yield f"port {port} is open to other machines: put 127.0.0.1 before it"
    for other in service.get("depends_on", []):
        if other not in told["services"]:
            yield f"depends on `{other}`, which is no service"
    for volume in service.get("volumes", []):
        yield from of_volume(place, told, volume.split(":")[0])
    for variable, value in service.get("environment", {}).items():
        if is_secret(variable) and not str(value).startswith("/run/secrets/"):
            yield f"`{variable}` holds a secret, which belongs in a file: list it under `secrets` and name /run/secrets/…"
        if has_password(str(value)):
            yield f"`{variable}` holds a password, which belongs in a file: list it under `secrets`"
        for secret in secrets_in(str(value)):
            if not has_secret(service, secret):
                yield f"`{variable}` names `{secret}`, which the service is not given: add it to its `secrets`"
    for word in service.get("command", []):
        for secret in secrets_in(word):
            if not has_secret(service, secret):
                yield f"`{word}` names `{secret}`, which the service is not given: add it to its `secrets`"
    if service["image"] == OURS and service.get("command", ["run"])[0] == "run":
        yield from of_engine(place, service)


def of_engine(place, service):
    grace = seconds(documented(place, "engine.stop_grace"))
    if seconds(service["stop_grace_period"]) <= grace:
        yield f"`stop_grace_period` is to be more than engine.stop_grace, {grace:.0f} s"
    if "hostname" not in service:
        yield "`hostname` is missing: transactional ids must outlive the container"
    if service.get("read_only") is not True:
        yield "`read_only: true` is missing"
    if service.get("cap_drop") != ["ALL"]:
        yield "`cap_drop: [ALL]` is missing"


def of_kafka(variables):
    """Whoever comes from another container logs in, encrypted, and may do what is allowed and nothing else."""
    protocols = dict(pair.split(":") for pair in variables["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for listener in variables["KAFKA_LISTENERS"].split(","):
        name, address = listener.split("://")
        if not address.startswith("127.0.0.1:") and protocols[name] != "SASL_SSL":
            yield f"the listener {name} is open to other containers: it is to be SASL_SSL, not {protocols[name]}"
    for variable, value in {
        "KAFKA_AUTHORIZER_CLASS_NAME": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND": "false",
        "KAFKA_SUPER_USERS": "User:administrator",
    }.items():
        if variables.get(variable) != value:
            yield f"`{variable}` is to be {value}"


def of_mongodb(place, service):
    """Whoever comes from another container comes encrypted, and the engine looks whose certificate it is."""
    for word in ("--tlsMode=requireTLS", "--tlsCertificateKeyFile=/run/secrets/mongodb-keystore"):
        if word not in service.get("command", []):
            yield f"`{word}` is missing: passwords and documents would go over the network in the clear"
    if "tls_ca_file" not in place.toml("container.toml")["store"]["mongodb"]:
        yield "container.toml names no `store.mongodb.tls_ca_file`: the engine would not get in"


def of_volume(place, told, source):
    if not source.startswith((".", "/")):
        if source not in told["volumes"]:
            yield f"the volume `{source}` is not declared"
    elif not (place.deploy / source).exists():
        yield f"{source} is not there"


def has_secret(service, name):
    given = service.get("secrets", [])
    return name in given or any(isinstance(one, dict) and one.get("target") == name for one in given)


def named_in_files(place, told):
    """Configurations that are mounted name secrets too."""
    administrator = "kafka/administrator.properties"
    for name, file in (
        ("engine", "container.toml"),
        ("prometheus", "prometheus/prometheus.yml"),
        ("alertmanager", "prometheus/alertmanager.yml"),
        ("kafka", administrator),
        ("kafka-users", administrator),
    ):
        for secret in secrets_in((place.deploy / file).read_text()):
            if not has_secret(told["services"][name], secret):
                yield f"{file} names /run/secrets/{secret}, which compose.yaml does not give to `{name}`"


def secrets_in(text):
    """By their path, as Kafka's provider names them, or as Spring does."""
    return re.findall(r"/run/secrets[/:]([\w-]+)", text) + re.findall(r"\$\$\{([\w-]+)\}", text)


def has_password(text):
    """A login whose password stands there itself."""
    return re.search(r'\b(password|user_\w+)="(?!\$)', text) is not None


def is_secret(variable):
    return any(word in variable for word in ("PASSWORD", "SECRET", "TOKEN", "_URI"))


def secrets(place, told):
    """What is named is made by secrets.sh, and the other way round."""
    with tempfile.TemporaryDirectory() as folder:
        code, output = run("bash", place.deploy / "secrets.sh", folder)
        if code != 0:
            return [f"secrets.sh: {output}"]
        made = {path.name for path in Path(folder).iterdir()}
    named = {Path(secret["file"]).name for secret in told["secrets"].values()}
    found = [f"secrets.sh does not make `{name}`, which compose.yaml names" for name in sorted(named - made)]
    found += [f"secrets.sh makes `{name}`, which compose.yaml does not name" for name in sorted(made - named - KEPT)]
    return found + [f"compose.yaml names `{name}`, which no container may have" for name in sorted(KEPT & named)]


def passwords(place, told):
    """Every user of the rights table has one."""
    rows = [line.split() for line in (place.deploy / "rights.txt").read_text().splitlines()]
    rows = [row for row in rows if row and not row[0].startswith("#")]
    for service, users in {
        "mongodb-users": {row[0] for row in rows if row[1] == "collection"} | {"administrator"},
        "kafka-users": {row[0] for row in rows if row[1] != "collection"},
    }.items():
        for user in sorted(users):
            if f"PASSWORD_{user.upper()}_FILE" not in told["services"][service]["environment"]:
                yield f"compose.yaml: {service}: no PASSWORD_{user.upper()}_FILE for a user of rights.txt"
