"""What the files tell the program, as the program itself sees it: arguments, keys, variables; and the port, everywhere."""

import json
import re
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from place import documented, run

DOCKERFILE = "Dockerfile"


@dataclass(frozen=True)
class Process:
    """One that a file starts."""

    where: str
    words: list
    config: str = ""
    variables: dict = field(default_factory=dict)


def faults(place):
    found = []
    for process in processes(place):
        found += [f"{process.where}: {fault}" for fault in of_process(place, process)]
    return found + ports(place) + brokers(place)


def processes(place):
    dockerfile = (place.deploy / DOCKERFILE).read_text()
    container = (place.deploy / "container.toml").read_text()
    yield Process(
        f"{DOCKERFILE} CMD with container.toml",
        json.loads(re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)[-1]),
        container,
    )
    health = json.loads(re.search(r"^ +CMD (\[.*\])$", dockerfile, re.MULTILINE)[1])
    yield Process(f"{DOCKERFILE} HEALTHCHECK", health[1:], container)
    for name, service in place.yaml("compose.yaml")["services"].items():
        if service["image"] == "triage:latest" and "command" in service:
            yield Process(f"compose.yaml: {name}", service["command"], "", ours(service.get("environment", {})))
    engine = place.yaml("k8s/engine.yaml")["spec"]["template"]["spec"]["containers"][0]
    config = place.yaml("k8s/config.yaml")["data"]["triage.toml"]
    variables = ours({one["name"]: one["value"] for one in engine["env"]})
    yield Process("k8s/engine.yaml with k8s/config.yaml", engine["args"], config, variables)
    yield Process("k8s/engine.yaml: readinessProbe", engine["readinessProbe"]["exec"]["command"][1:], config)
    unit = (place.deploy / "systemd/triage.service").read_text()
    words = re.search(r"^ExecStart=/usr/bin/triage (.*)$", unit, re.MULTILINE)[1].split()
    variables = ours(dict(re.findall(r"^Environment=([A-Z_]+)=(.*)$", unit, re.MULTILINE)))
    yield Process(
        "systemd/triage.service with systemd/triage.toml",
        words,
        (place.deploy / "systemd/triage.toml").read_text(),
        variables,
    )
    yield Process("triage.toml", ["run"], (place.deploy / "triage.toml").read_text())


def ours(variables):
    return {name: str(value) for name, value in variables.items() if name.startswith("TRIAGE_")}


def of_process(place, process):
    # `--help` behind them: they are parsed, and nothing is started.
    code, output = run(place.triage, *process.words, "--help")
    if code != 0:
        yield output.strip()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "triage.toml"
        config.write_text(at_home(process.config, place, folder))
        variables = {name: at_home(value, place, folder) for name, value in process.variables.items()}
        code, output = run(place.triage, "check", "--config", config, env=variables, cwd=place.root)
        if code != 0:
            yield output.strip().replace(str(config), "its configuration")
        if process.words[0] == "run" and not is_guarded(process, config):
            yield "it listens to other machines and has no token: name one by http.token_file"


def at_home(text, place, folder):
    """The same, with the rules and secrets, each its own, where they are on this machine."""

    def secret(named):
        file = Path(folder) / named[2].replace("/", "-")
        file.write_text(f"mongodb://engine:{file.name}@mongodb:27017/")
        return str(file)

    text = text.replace("/etc/triage/rules/hospital", str(place.root / "rules/hospital"))
    return re.sub(r"(/run/secrets|%d)/([\w/-]+)", secret, text)


def is_guarded(process, config):
    http = tomllib.loads(config.read_text()).get("http", {})
    named = "token_file" in http or "TRIAGE_HTTP_TOKEN_FILE" in process.variables
    return named or http.get("listen", "127.0.0.1:0").startswith("127.0.0.1:")


def ports(place):
    """Where the program listens, and who believes to know."""
    compose, engine = (
        place.yaml("compose.yaml"),
        place.yaml("k8s/engine.yaml")["spec"]["template"]["spec"]["containers"][0],
    )
    policy, service = place.yaml("k8s/network.yaml"), place.yaml("k8s/service.yaml")
    scraped = place.yaml("prometheus/prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"][0]
    listening = {
        "container.toml": place.toml("container.toml")["http"]["listen"],
        "k8s/config.yaml": tomllib.loads(place.yaml("k8s/config.yaml")["data"]["triage.toml"])["http"]["listen"],
        "Dockerfile EXPOSE": re.search(r"^EXPOSE (\d+)$", (place.deploy / DOCKERFILE).read_text(), re.MULTILINE)[1],
        "compose.yaml engine": compose["services"]["engine"]["ports"][0],
        "prometheus.yml": scraped,
        "k8s/engine.yaml": engine["ports"][0]["containerPort"],
        "k8s/service.yaml": service["spec"]["ports"][0]["port"],
        "k8s/network.yaml": policy["spec"]["ingress"][0]["ports"][0]["port"],
    }
    port = documented(place, "http.listen").split(":")[-1]
    found = [
        f"{where} has port {told}, and the engine listens at {port}"
        for where, told in listening.items()
        if str(told).split(":")[-1] != port
    ]
    if scraped.split(":")[0] not in compose["services"]:
        found.append(f"prometheus.yml scrapes `{scraped}`, which is no service of compose.yaml")
    return found


def brokers(place):
    """Kafka tells its clients the address that they are told; the administrator's is on its own loopback."""
    services = place.yaml("compose.yaml")["services"]
    listeners = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    advertised = dict(listener.split("://") for listener in listeners)
    users = services["kafka-users"]
    told = {
        "container.toml": ("CLIENTS", place.toml("container.toml")["kafka"]["bootstrap_servers"]),
        "compose.yaml gateway": ("CLIENTS", services["gateway"]["environment"].get("TRIAGE_KAFKA_BOOTSTRAP_SERVERS")),
        "compose.yaml kafka-ui": ("CLIENTS", services["kafka-ui"]["environment"]["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"]),
        "compose.yaml kafka-users": ("ADMIN", users["environment"]["BOOTSTRAP_SERVERS"]),
    }
    found = [
        f"{where} looks for Kafka at {at}, which is at {advertised[listener]}"
        for where, (listener, at) in told.items()
        if at != advertised[listener]
    ]
    if users.get("network_mode") != "service:kafka":
        found.append("compose.yaml kafka-users does not share Kafka's loopback: `network_mode: service:kafka`")
    return found
