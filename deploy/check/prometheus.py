"""Alert rules and their tests by promtool; the dashboard's queries by the same parser."""

import json
import tempfile
from pathlib import Path

import yaml

from place import run

# What the first panel says two minutes after two engines were well, by what becomes of the second: `up` and its heartbeat.
WATCHED = {
    "judges": ("1x12", "0+15x12", 1),
    "stands still": ("1x12", "0+15x4 60x8", 0),
    "does not answer": ("1x4 0x8", "0+15x4 stale", 0),
    "never judged": ("1x12", "0x12", 0),
}


def faults(place):
    folder = place.deploy / "prometheus"
    found = []
    for words in (
        ["check", "config", "--syntax-only", folder / "prometheus.yml"],
        ["check", "rules", folder / "triage.rules.yml"],
        ["test", "rules", folder / "triage.rules.test.yml"],
    ):
        code, output = run(place.prometheus / "usr/bin/promtool", *words)
        if code != 0:
            found.append(f"promtool {words[0]} {words[1]}: {output.strip()}")
    return found + dashboard(place) + watched(place)


def dashboard(place):
    told = json.loads((place.deploy / "grafana/dashboards/triage.json").read_text())
    source = place.yaml("grafana/datasources/prometheus.yaml")["datasources"][0]
    found = []
    rules = []
    for panel in told["panels"]:
        if panel["datasource"]["uid"] != source["uid"]:
            found.append(f"dashboard: `{panel['title']}`: the source `{panel['datasource']['uid']}` is not provisioned")
        for target in panel["targets"]:
            rules.append({"record": "panel", "labels": {"n": str(len(rules))}, "expr": target["expr"]})
    with tempfile.TemporaryDirectory() as folder:
        queries = Path(folder) / "queries.yml"
        queries.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
        code, output = run(place.prometheus / "usr/bin/promtool", "check", "rules", queries)
        if code != 0:
            found.append(f"dashboard: {output.strip()}")
    return found


def watched(place):
    """One engine that does not judge is enough for the first panel to say so."""
    panels = json.loads((place.deploy / "grafana/dashboards/triage.json").read_text())["panels"]
    query = panels[0]["targets"][0]["expr"]
    found = []
    for becomes, (up, heartbeat, expected) in WATCHED.items():
        engines = series("a", "1x12", "0+15x12") + series("b", up, heartbeat)
        if not is_said(place, query, engines, expected):
            found.append(f"dashboard: `{panels[0]['title']}` is not {expected} when one of two engines {becomes}")
    if not is_said(place, query, [], 0):
        found.append(f"dashboard: `{panels[0]['title']}` is not 0 when there is no engine")
    return found


def series(instance, up, heartbeat):
    labels = f'{{job="triage", instance="{instance}:9180"}}'
    return [
        {"series": f"up{labels}", "values": up},
        {"series": f"triage_heartbeat_timestamp_seconds{labels}", "values": heartbeat},
    ]


def is_said(place, query, engines, expected):
    """Whether a query has this value after two minutes."""
    told = {"expr": query, "eval_time": "2m", "exp_samples": [{"labels": "{}", "value": expected}]}
    test = {"interval": "15s", "input_series": engines, "promql_expr_test": [told]}
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "tests.yml"
        tests.write_text(yaml.safe_dump({"tests": [test]}))
        return run(place.prometheus / "usr/bin/promtool", "test", "rules", tests)[0] == 0
