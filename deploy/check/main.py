"""Holds what is in `deploy` to schemas, linters, the program and a real broker, as far as that goes without a Docker daemon.

    python main.py           every check
    python main.py seeded    every check on copies of `deploy` with a fault in them, which it must name

The variables TRIAGE, PROMETHEUS, ALERTMANAGER, SYSTEMD and KAFKA say where the tools are; `make deploy-check` sets them.
"""

import sys
import time
from pathlib import Path

import alertmanager
import compose
import dockerfile
import kafka
import kubernetes
import laid_out
import program
import prometheus
import systemd
from place import from_environment
from seeded import unnoticed

CHECKS = {
    "compose": compose.faults,
    "dockerfile": dockerfile.faults,
    "kubernetes": kubernetes.faults,
    "systemd": systemd.faults,
    "prometheus": prometheus.faults,
    "alertmanager": alertmanager.faults,
    "program": program.faults,
    "laid_out": laid_out.faults,
    "kafka": kafka.faults,
}


def main():
    place = from_environment(Path(__file__).resolve().parents[2])
    wrong = 0
    for name, check in CHECKS.items():
        began = time.monotonic()
        found = unnoticed(place, name, check) if sys.argv[1:] == ["seeded"] else check(place)
        wrong += len(found)
        print(f"{name}: {'ok' if not found else f'{len(found)} wrong'} ({time.monotonic() - began:.1f} s)", flush=True)
        for fault in found:
            print(f"  {fault}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
