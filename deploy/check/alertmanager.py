"""alertmanager.yml by amtool: who is told of each alert, and that addresses are in files."""

import tempfile
from pathlib import Path

import yaml

from place import run, seconds

TOLD = {"critical": "pager", "warning": "shift", "none": "switch"}
# The dead man's switch alarms after this.
PATIENCE = 60


def faults(place):
    told = place.yaml("prometheus/alertmanager.yml")
    found = [*addresses(told), *beats(told["route"]), *connected(place)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "alertmanager.yml"
        file.write_text(yaml.safe_dump(without_files(told)))
        code, output = run(amtool(place), "check-config", file)
        if code != 0:
            return [*found, f"alertmanager.yml: {output.strip()}"]
        return [*found, *routes(place, file)]


def amtool(place):
    return place.alertmanager / "usr/bin/amtool"


def without_files(told):
    """As Debian's amtool 0.25 knows it: `url_file` came a version later."""
    for receiver in told["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            if webhook.pop("url_file", None):
                webhook["url"] = "http://receiver.invalid/"
    return told


def addresses(told):
    for receiver in told["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            if "url" in webhook:
                yield f"alertmanager.yml: {receiver['name']}: an address belongs in a file: `url_file`"


def beats(route):
    """The switch hears of it often enough, and at each of the group's turns."""
    for one in route["routes"]:
        if one["receiver"] == TOLD["none"]:
            turn, due = seconds(one["group_interval"]), seconds(one["repeat_interval"])
            if due >= turn or 2 * turn > PATIENCE:
                yield f"alertmanager.yml: the switch is not told twice within {PATIENCE} s"


def routes(place, file):
    for group in place.yaml("prometheus/triage.rules.yml")["groups"]:
        for rule in group["rules"]:
            severity = rule["labels"]["severity"]
            options = [f"--config.file={file}", f"--verify.receivers={TOLD[severity]}"]
            labels = [f"severity={severity}", f"alertname={rule['alert']}"]
            if run(amtool(place), "config", "routes", "test", *options, *labels)[0] != 0:
                yield f"alertmanager.yml: {rule['alert']}, {severity}, is not told to the receiver `{TOLD[severity]}`"


def connected(place):
    """Prometheus knows where Alertmanager is, and says soon that an alert has ended with it."""
    services = place.yaml("compose.yaml")["services"]
    alerting = place.yaml("prometheus/prometheus.yml").get("alerting", {"alertmanagers": []})
    targets = [
        target
        for alertmanager in alerting["alertmanagers"]
        for static in alertmanager["static_configs"]
        for target in static["targets"]
    ]
    if targets != ["alertmanager:9093"] or "alertmanager" not in services:
        yield f"prometheus.yml tells {targets} of alerts, and compose.yaml has Alertmanager at alertmanager:9093"
    # What is not sent again is over after four times this.
    words = services["prometheus"]["command"]
    delay = next((word.split("=")[1] for word in words if word.startswith("--rules.alert.resend-delay=")), "1m")
    if 4 * seconds(delay) > PATIENCE:
        yield f"compose.yaml: prometheus: with a resend delay of {delay} the switch goes on hearing of one that is gone"
