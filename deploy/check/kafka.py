"""Kafka of compose.yaml on a real broker: it knows its settings, `kafka-users` makes users of rights.txt, engine, store and
gateway do their work as theirs, and a nurse may do what a nurse may."""

import itertools
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from place import Place, run

NAMES = """
public class Names {
    public static void main(String[] none) {
        org.apache.kafka.server.config.AbstractKafkaConfig.CONFIG_DEF.names().forEach(System.out::println);
    }
}
"""
# Read by the authorizer alone, which has no list.
OF_THE_AUTHORIZER = {"allow.everyone.if.no.acl.found", "super.users"}
# The patients of the gateway's file, one reading each.
READINGS = 10
# There is no MongoDB here: documents go to SQLite.
MONGODB = '[store.mongodb]\nuri_file = "/run/secrets/mongodb-uri"\ntls_ca_file = "/run/secrets/authority"\n'


@dataclass(frozen=True)
class Bed:
    """What the containers name, where it is on this machine."""

    place: Place
    folder: Path
    web: int
    instead: dict

    def here(self, text):
        return re.sub("|".join(map(re.escape, self.instead)), lambda found: self.instead[found[0]], text)

    def write(self, name, text):
        file = self.folder / name
        file.write_text(self.here(text))
        return file

    def words(self, told):
        return [self.here(word) for word in told]

    def variables(self, service):
        told = {name: self.here(value) for name, value in service.get("environment", {}).items()}
        return os.environ | told | {"SERVICES_KAFKA_LIBS": str(self.place.kafka)}

    def java(self):
        return ["java", "-Xmx512m", "-cp", f"{self.place.kafka}/*"]


def bed(place, folder):
    clients, controller, administrator, web = free_ports(4)
    return Bed(
        place,
        folder,
        web,
        {
            "//:9092": f"//127.0.0.1:{clients}",
            "kafka:9092": f"127.0.0.1:{clients}",
            "127.0.0.1:9093": f"127.0.0.1:{controller}",
            "127.0.0.1:9094": f"127.0.0.1:{administrator}",
            "0.0.0.0:9180": f"127.0.0.1:{web}",
            "/run/secrets": str(folder / "secrets"),
            "/var/lib/kafka/data": str(folder / "data"),
            "/opt/kafka/bin": str(place.root / "engine/services/bin"),
            "/deploy/kafka/administrator.properties": str(folder / "administrator.properties"),
            "/deploy/": f"{place.deploy}/",
            "/etc/triage/rules/hospital": str(place.root / "rules/hospital"),
            "/usr/share/triage/patients.csv": str(place.root / "datasets/patients.csv"),
        },
    )


def faults(place):
    services = place.yaml("compose.yaml")["services"]
    settings = properties(services["kafka"]["environment"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Names.java").write_text(NAMES)
        code, known = run("java", "-cp", f"{place.kafka}/*", folder / "Names.java")
        if code != 0:
            return [f"Kafka's settings cannot be listed: {known.strip()}"]
        unknown = [key for key in settings if not is_known(key, {*known.split(), *OF_THE_AUTHORIZER})]
        if unknown:
            return [f"compose.yaml: kafka: there is no setting `{key}`" for key in unknown]
        return on_a_broker(bed(place, folder), services, settings)


def properties(variables):
    """As Compose and the image make server.properties of the variables."""
    return {
        name.removeprefix("KAFKA_")
        .lower()
        .replace("___", "-")
        .replace("__", "/")
        .replace("_", ".")
        .replace("/", "_"): value.replace("$$", "$")
        for name, value in variables.items()
        if name.startswith("KAFKA_")
    }


def is_known(key, known):
    """Settings of one listener, or of one way to log in there, have a prefix; a provider has a name of ours."""
    setting = re.sub(r"^listener\.name\.\w+\.((plain|scram-sha-512)\.)?", "", key)
    return setting in known or re.fullmatch(r"config\.providers(\.\w+\.(class|param\.allowed\.paths))?", setting)


def on_a_broker(bed, services, settings):
    code, output = run("bash", bed.place.deploy / "secrets.sh", bed.folder / "secrets")
    if code != 0:
        return [f"secrets.sh: {output.strip()}"]
    bed.write("administrator.properties", (bed.place.deploy / "kafka/administrator.properties").read_text())
    file = bed.write("server.properties", lines(settings))
    code, output = run(*bed.java(), "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", file)
    if code != 0:
        return [f"Kafka refuses the settings of compose.yaml: {output.strip().splitlines()[-1]}"]
    log = bed.folder / "kafka.log"
    with started([*bed.java(), "kafka.Kafka", file], log) as process:
        kafka = services["kafka"]
        health = bed.words(kafka["healthcheck"]["test"][1:])
        if not becomes(lambda: run(*health, env=bed.variables(kafka))[0] == 0, 300, process):
            return [f"Kafka of compose.yaml is not healthy: {last_words(log)}"]
        return users(bed, services["kafka-users"]) or hospital(bed, services)


def users(bed, service):
    """They are made; the second time there is nothing to do."""
    setup = bed.words(service["entrypoint"] + service["command"])
    code, output = run(*setup, env=bed.variables(service), timeout=900)
    if code != 0:
        return [f"kafka-users does not make the users of rights.txt: {output.strip()}"]
    code, output = run(*setup, env=bed.variables(service), timeout=900)
    if code != 0 or output:
        return [f"kafka-users is not content with what it has made: {output.strip()}"]
    return []


def hospital(bed, services):
    """The engine is ready, the gateway's readings are judged and stored."""
    triage = bed.place.triage
    config = bed.write("triage.toml", (bed.place.deploy / "container.toml").read_text().replace(MONGODB, ""))
    log = bed.folder / "engine.log"
    engine = [triage, "run", "--config", config, "--set", "store.sqlite=ehealth.sqlite"]
    with started(engine, log, cwd=bed.folder) as process:
        if not becomes(lambda: run(triage, "health", "--config", config)[0] == 0, 90, process):
            return [f"the engine is not ready on the broker of compose.yaml: {last_words(log)}"]
        gateway = services["gateway"]
        words = [*bed.words(gateway["command"][:2]), "--once", "--every", "10ms"]
        code, output = run(triage, *words, env=bed.variables(gateway), cwd=bed.folder)
        if code != 0:
            return [f"the gateway cannot send to the broker of compose.yaml: {output.strip()}"]
        if not becomes(lambda: f"triage_readings_total {READINGS}\n" in metrics(bed), 120):
            return ["the engine does not judge what the gateway sends to the broker of compose.yaml"]
        stored = f'triage_store_documents_total{{collection="patients_record"}} {READINGS}\n'
        if not becomes(lambda: stored in metrics(bed), 120):
            return ["the store does not store what the gateway sends to the broker of compose.yaml"]
        return people(bed, services["kafka-ui"])


def people(bed, service):
    """An engineer, as the Kafka UI logs in, and a nurse by the same settings: what they may, and what they may not."""
    engineer, nurse = (client(bed, service, user) for user in ("engineer", "nurse"))
    found = []
    if not reads(bed, engineer, "rule-sets", "engineer"):
        found.append("the engineer cannot read `rule-sets` with the settings of kafka-ui")
    if not reads(bed, nurse, "alerts.vitals", "nurse-check"):
        found.append("the nurse cannot read `alerts.vitals`")
    if "Not authorized to access topics: [research]" not in what_is_said_to_writing(bed, nurse, "research"):
        found.append("the nurse is not refused to write `research`")
    return found


def client(bed, service, user):
    """The client's settings of the Kafka UI, for another user; what Spring fetches from a file, Kafka's provider does."""
    prefix = "KAFKA_CLUSTERS_0_PROPERTIES_"
    told = {
        name.removeprefix(prefix).replace("_", ".").lower(): value
        for name, value in service["environment"].items()
        if name.startswith(prefix)
    }
    login = told["sasl.jaas.config"].replace("engineer", user)
    told["sasl.jaas.config"] = re.sub(r"\$\$\{([\w-]+)\}", r"${directory:/run/secrets:\1}", login)
    told["config.providers"] = "directory"
    told["config.providers.directory.class"] = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
    return bed.write(f"{user}.properties", lines(told))


def reads(bed, config, topic, group):
    """A record of the topic."""
    told = ["--topic", topic, "--group", group, "--from-beginning", "--max-messages", "1", "--timeout-ms", "120000"]
    tool = "org.apache.kafka.tools.consumer.ConsoleConsumer"
    at = bed.here("kafka:9092")
    code, output = run(*bed.java(), tool, "--bootstrap-server", at, "--consumer.config", config, *told)
    return code == 0 and "Processed a total of 1 messages" in output


def what_is_said_to_writing(bed, config, topic):
    # Otherwise the right that is asked for first is the cluster's, which whoever may write somewhere has.
    told = ["--topic", topic, "--producer-property", "enable.idempotence=false"]
    tool = "org.apache.kafka.tools.ConsoleProducer"
    at = bed.here("kafka:9092")
    command = [*bed.java(), tool, "--bootstrap-server", at, "--producer.config", config, *told]
    return run(*command, stdin=None, input="{}\n")[1]


def lines(settings):
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def metrics(bed):
    """What Prometheus is told; nothing while nobody answers."""
    token = (bed.folder / "secrets/metrics-token").read_text()
    asked = urllib.request.Request(f"http://127.0.0.1:{bed.web}/metrics", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.read().decode()
    except OSError:
        return ""


@contextmanager
def started(command, log, cwd=None):
    """A process while the block runs."""
    words = [str(word) for word in command]
    with open(log, "w") as told:
        process = subprocess.Popen(words, stdout=told, stderr=told, stdin=subprocess.DEVNULL, cwd=cwd)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def becomes(holds, patience, process=None):
    """Whether it holds in time; it will not if the process that it is asked of has ended."""
    until = time.monotonic() + patience
    while time.monotonic() < until and (process is None or process.poll() is None):
        if holds():
            return True
        time.sleep(0.5)
    return False


def last_words(log):
    return " ".join(log.read_text().splitlines()[-1:])


def free_ports(count):
    """Below those that the system gives away by itself: none is taken before the process that it is for listens."""
    lowest, below = 20_000, 32_000
    begun = os.getpid() * 37 % (below - lowest)
    candidates = (lowest + (begun + step) % (below - lowest) for step in range(below - lowest))
    return list(itertools.islice(filter(is_free, candidates), count))


def is_free(port):
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
