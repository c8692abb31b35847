"""Faults that each check must name: a file, a text in it and what stands there instead, and words of the answer."""

import shutil
import tempfile
from pathlib import Path

FAULTS = {
    "compose": [
        ("compose.yaml", "mem_limit: 1g", "mem_limits: 1g", "mem_limits"),
        ("compose.yaml", "secrets: [grafana-admin]", "secrets: [grafana-root]", "grafana-root"),
        ("compose.yaml", "- kafka:/var/lib/kafka/data", "- kafak:/var/lib/kafka/data", "`kafak` is not declared"),
        ("compose.yaml", "depends_on: [prometheus]", "depends_on: [prometeus]", "`prometeus`, which is no service"),
        ("compose.yaml", "./grafana/datasources:", "./grafana/sources:", "./grafana/sources is not there"),
        ("compose.yaml", "127.0.0.1:9180:9180", "9180:9180", "open to other machines"),
        ("compose.yaml", "prom/prometheus:v3.5.0", "prom/prometheus:latest", "another image every time"),
        ("compose.yaml", "stop_grace_period: 30s", "stop_grace_period: 20s", "more than engine.stop_grace"),
        (
            "compose.yaml",
            "MONGO_INITDB_ROOT_PASSWORD_FILE: /run/secrets/mongodb-root",
            "MONGO_INITDB_ROOT_PASSWORD: hush",
            "belongs in a file",
        ),
        (
            "compose.yaml",
            "secrets: [http-token, metrics-token, mongodb-uri, authority,",
            "secrets: [http-token, metrics-token, authority,",
            "container.toml names /run/secrets/mongodb-uri",
        ),
        (
            "compose.yaml",
            "secrets: [kafka-administrator, kafka-keystore]",
            "secrets: [kafka-administrator]",
            "`KAFKA_SSL_KEYSTORE_LOCATION` names `kafka-keystore`, which the service is not given",
        ),
        (
            "kafka/administrator.properties",
            "kafka-administrator}",
            "administrator}",
            "administrator.properties names /run/secrets/administrator",
        ),
        (
            "compose.yaml",
            "      - authority\n      - kafka-engineer\n",
            "      - authority\n",
            "names `kafka-engineer`",
        ),
        ("compose.yaml", 'password="$${kafka-engineer}"', 'password="hush"', "holds a password"),
        (
            "compose.yaml",
            "      PASSWORD_GATEWAY_FILE: /run/secrets/kafka-gateway\n",
            "",
            "kafka-users: no PASSWORD_GATEWAY_FILE",
        ),
        ("compose.yaml", "MAP: CLIENTS:SASL_SSL", "MAP: CLIENTS:SSL", "it is to be SASL_SSL, not SSL"),
        ("compose.yaml", "ADMIN://127.0.0.1:9094\n", "ADMIN://:9094\n", "ADMIN is open to other containers"),
        (
            "compose.yaml",
            "      KAFKA_AUTHORIZER_CLASS_NAME: org.apache.kafka.metadata.authorizer.StandardAuthorizer\n",
            "",
            "`KAFKA_AUTHORIZER_CLASS_NAME` is to be",
        ),
        ("compose.yaml", "--tlsMode=requireTLS", "--tlsMode=allowTLS", "`--tlsMode=requireTLS` is missing"),
        (
            "compose.yaml",
            "secrets: [mongodb-root, mongodb-keystore, authority]",
            "secrets: [mongodb-root, authority]",
            "names `mongodb-keystore`, which the service is not given",
        ),
        ("container.toml", 'tls_ca_file = "/run/secrets/authority"\n', "", "names no `store.mongodb.tls_ca_file`"),
        ("secrets.sh", "for host in kafka mongodb; do", "for host in kafka; do", "does not make `mongodb-keystore`"),
        ("compose.yaml", 'IF_NO_ACL_FOUND: "false"', 'IF_NO_ACL_FOUND: "true"', "is to be false"),
        ("compose.yaml", "User:administrator", "User:administrator;User:ANONYMOUS", "`KAFKA_SUPER_USERS` is to be"),
        ("compose.yaml", "./secrets/authority }", "./secrets/authority-key }", "which no container may have"),
        (
            "prometheus/prometheus.yml",
            "/run/secrets/metrics-token",
            "/run/secrets/token",
            "prometheus.yml names /run/secrets/token",
        ),
        (
            "compose.yaml",
            "secrets: [metrics-token]",
            "secrets: [metrics-token, http-token]",
            "prometheus has the token that opens everything",
        ),
        ("compose.yaml", "[pager-url, shift-url,", "[shift-url,", "alertmanager.yml names /run/secrets/pager-url"),
        ("secrets.sh", "make mongodb-uri", "make mongo-uri", "does not make `mongodb-uri`"),
    ],
    "dockerfile": [
        ("Dockerfile", "FROM rust:1.95.0-bookworm", "FROM rust:latest", "DL3007"),
        ("Dockerfile", "USER 65532:65532", "USER nonroot", "USER is to be a number"),
        ("Dockerfile", "HEALTHCHECK", "LABEL", "HEALTHCHECK is missing"),
        ("Dockerfile", "COPY grammar grammar", "COPY grammars grammars", "COPY grammars: it is not there"),
        (
            "Dockerfile.dockerignore",
            "!rules/hospital",
            "!rules/original",
            "rules/hospital: Dockerfile.dockerignore keeps",
        ),
    ],
    "kubernetes": [
        ("k8s/engine.yaml", "livenessProbe:", "livenesProbe:", "livenesProbe"),
        ("k8s/engine.yaml", "replicas: 2", "replicas: two", "replicas"),
        ("k8s/engine.yaml", "replicas: 2", "replicas: 1", "lets all engines go at once"),
        (
            "k8s/service.yaml",
            "selector: { app.kubernetes.io/name: triage }",
            "selector: { app: triage }",
            "the Service selects no pod",
        ),
        (
            "k8s/engine.yaml",
            "configMap: { name: triage-rules }",
            "configMap: { name: rules }",
            "nobody makes the configMap `rules`",
        ),
        (
            "k8s/engine.yaml",
            "mountPath: /etc/triage/rules/hospital,",
            "mountPath: /etc/triage/rules/hospital, subPath: a,",
            "never change",
        ),
        (
            "k8s/engine.yaml",
            "terminationGracePeriodSeconds: 30",
            "terminationGracePeriodSeconds: 5",
            "more than engine.stop_grace",
        ),
        (
            "k8s/engine.yaml",
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "readOnlyRootFilesystem: true is missing",
        ),
        ("k8s/engine.yaml", "TRIAGE_ENGINE_WORKERS", "TRIAGE_HTTP_TOKEN", "belongs in triage-secrets"),
        ("k8s/kustomization.yaml", "  - network.yaml\n", "", "does not list network.yaml"),
        ("k8s/network.yaml", "triage.hospital/client", "triage.hospital/clients", "does not say how to give it"),
        ("k8s/config.yaml", "triage/kafka-store", "triage/kafka-sore", "does not put into triage-secrets"),
    ],
    "systemd": [
        ("systemd/triage.service", "NoNewPrivileges=yes", "NoNewPrivilege=yes", "Unknown key"),
        ("systemd/triage.service", "Type=exec", "Type=daemon", "service type"),
        ("systemd/triage.service", "SystemCallFilter=@system-service\n", "", "exposure"),
        ("systemd/triage.service", "TimeoutStopSec=30", "TimeoutStopSec=20", "more than engine.stop_grace"),
    ],
    "prometheus": [
        ("prometheus/prometheus.yml", "rule_files:", "rules_files:", "rules_files"),
        ("prometheus/triage.rules.yml", "> 0.5", "> 0.8", "TriageRuleNotEvaluable"),
        ("prometheus/triage.rules.yml", "offset 5m)", "offset)", "triage.rules.yml"),
        ("prometheus/triage.rules.yml", "> 0.9 * sum(", "> 1.1 * sum(", "a backlog that nobody works off"),
        ("prometheus/triage.rules.yml", "expr: triage_tokens_refused == 1", "expr: triage_tokens_refused == 0", "TriageTokensRefused"),
        (
            "grafana/dashboards/triage.json",
            "sum(triage_consumer_lag_records)",
            "sum(triage_consumer_lag_records",
            "dashboard",
        ),
        (
            "grafana/dashboards/triage.json",
            "(max(time() - triage_heartbeat_timestamp_seconds) < bool 30)",
            "(min(time() - triage_heartbeat_timestamp_seconds) < bool 30)",
            "is not 0 when one of two engines stands still",
        ),
        (
            "grafana/dashboards/triage.json",
            ' * min(up{job=\\"triage\\"})',
            "",
            "is not 0 when one of two engines does not answer",
        ),
        ("prometheus/triage.rules.yml", "expr: max(time()", "expr: min(time()", "one of two engines stands still"),
        ("grafana/datasources/prometheus.yaml", "uid: triage-prometheus", "uid: prometheus", "is not provisioned"),
    ],
    "alertmanager": [
        ("prometheus/alertmanager.yml", "group_by:", "groups_by:", "groups_by"),
        ("prometheus/alertmanager.yml", "- name: shift", "- name: shifts", "shift"),
        (
            "prometheus/alertmanager.yml",
            "  receiver: pager",
            "  receiver: shift",
            "TriageDown, critical, is not told to the receiver `pager`",
        ),
        (
            "prometheus/alertmanager.yml",
            "alertname=\"TriageAlive\"",
            "alertname=\"TriageLives\"",
            "TriageAlive, none, is not told to the receiver `switch`",
        ),
        (
            "prometheus/alertmanager.yml",
            "url_file: /run/secrets/pager-url",
            "url: https://pager.example/key",
            "an address belongs in a file",
        ),
        ("prometheus/alertmanager.yml", "group_interval: 20s", "group_interval: 40s", "not told twice within 60 s"),
        ("prometheus/prometheus.yml", "alertmanager:9093", "alertmanager:9094", "has Alertmanager at alertmanager:9093"),
        ("compose.yaml", "resend-delay=10s", "resend-delay=30s", "goes on hearing of one that is gone"),
    ],
    "program": [
        ("container.toml", "partitions = 6", "partition = 6", "did you mean `kafka.partitions`?"),
        ("container.toml", 'listen = "0.0.0.0:9180"', 'listen = "0.0.0.0:9181"', "container.toml has port"),
        (
            "container.toml",
            'token_file = "/run/secrets/http-token"',
            'token = "hush"',
            "name that by `http.token_file`",
        ),
        ("container.toml", 'token_file = "/run/secrets/http-token"', "", "and every page would be open"),
        ("container.toml", "/run/secrets/metrics-token", "/run/secrets/http-token", "they are the same"),
        (
            "container.toml",
            'token_file = "/run/secrets/http-token"\nmetrics_token_file = "/run/secrets/metrics-token"\n',
            "",
            "has no token",
        ),
        ("container.toml", "kafka:9092", "kafka:9093", "looks for Kafka at kafka:9093"),
        (
            "compose.yaml",
            "TRIAGE_KAFKA_BOOTSTRAP_SERVERS",
            "TRIAGE_KAFKA_BOOTSTRAP",
            "unknown key `TRIAGE_KAFKA_BOOTSTRAP`",
        ),
        ("compose.yaml", "SERVERS: 127.0.0.1:9094", "SERVERS: kafka:9094", "kafka-users looks for Kafka at kafka:9094"),
        ("compose.yaml", "network_mode: service:kafka", "networks: [data]", "does not share Kafka's loopback"),
        ("compose.yaml", '"--every", "5s"', '"--evrey", "5s"', "--evrey"),
        ("Dockerfile", '["/usr/bin/triage", "health"', '["/usr/bin/triage", "helth"', "helth"),
        ("Dockerfile", "EXPOSE 9180", "EXPOSE 8080", "Dockerfile EXPOSE has port 8080"),
        ("prometheus/prometheus.yml", "engine:9180", "triage:9180", "no service of compose.yaml"),
        ("k8s/config.yaml", "watch = true", "watches = true", "unknown key"),
        ("k8s/engine.yaml", "containerPort: 9180", "containerPort: 9181", "k8s/engine.yaml has port 9181"),
        ("systemd/triage.service", "TRIAGE_HTTP_TOKEN_FILE", "TRIAGE_TOKEN_FILE", "unknown key `TRIAGE_TOKEN_FILE`"),
        ("systemd/triage.toml", 'format = "json"', 'format = "yaml"', "log.format"),
    ],
    "laid_out": [
        (
            "Dockerfile",
            "COPY datasets/cardio.onnx datasets/cardio.inputs.json /etc/triage/datasets/",
            "",
            "Dockerfile: error[E216]: the model cannot be used",
        ),
        ("Dockerfile", "/etc/triage/rules/hospital", "/etc/triage/rules", "Dockerfile: nothing is put where"),
        (
            "compose.yaml",
            "../datasets:/etc/triage/datasets",
            "../datasets:/etc/triage/models",
            "compose.yaml: error[E216]: the model cannot be used",
        ),
        (
            "k8s/engine.yaml",
            "mountPath: /etc/triage/datasets",
            "mountPath: /etc/datasets",
            "k8s/engine.yaml: error[E216]: the model cannot be used",
        ),
        (
            "systemd/triage.toml",
            "/etc/triage/rules/hospital",
            "/etc/triage/rules",
            "systemd/triage.toml: nothing is put where",
        ),
    ],
    "kafka": [
        (
            "compose.yaml",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE",
            "KAFKA_AUTO_CREATE_TOPIC_ENABLE",
            "no setting `auto.create.topic.enable`",
        ),
        (
            "compose.yaml",
            "KAFKA_PROCESS_ROLES: broker,controller",
            "KAFKA_PROCESS_ROLES: broker",
            "refuses the settings",
        ),
        ("compose.yaml", "KAFKA_LISTENER_NAME_CLIENTS_SASL", "KAFKA_CLIENTS_SASL", "no setting `clients.sasl"),
        (
            "compose.yaml",
            "      KAFKA_AUTHORIZER_CLASS_NAME: org.apache.kafka.metadata.authorizer.StandardAuthorizer\n",
            "",
            "kafka-users does not make the users of rights.txt",
        ),
        (
            "compose.yaml",
            "      PASSWORD_NURSE_FILE: /run/secrets/kafka-nurse\n",
            "",
            "no password for `nurse`",
        ),
        (
            "rights.txt",
            "nurse             topic        alerts.vitals                read",
            "nurse             topic        research                     write",
            "the nurse cannot read `alerts.vitals`\nthe nurse is not refused to write `research`",
        ),
        (
            "compose.yaml",
            'KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1"',
            'KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "2"',
            "the engine is not ready",
        ),
    ],
}


def unnoticed(place, name, check):
    """The seeded faults that the check did not name."""
    missed = []
    for file, text, fault, expected in FAULTS[name]:
        found = "\n".join(seed(place, check, file, text, fault))
        if expected not in found:
            missed.append(f"{file}: `{fault.strip()}` is not noticed as `{expected}`, but: {found or 'all is well'}")
    return missed


def seed(place, check, file, text, fault):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for there in place.root.iterdir():
            if there.name != "deploy":
                (root / there.name).symlink_to(there)
        shutil.copytree(place.deploy, root / "deploy", ignore=shutil.ignore_patterns("secrets"))
        broken = root / "deploy" / file
        whole = broken.read_text()
        if text not in whole:
            return [f"`{text}` is not in {file} any more: correct the seeded fault"]
        broken.write_text(whole.replace(text, fault, 1))
        return check(place.moved(root))
