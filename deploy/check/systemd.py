"""The unit: systemd's own verdict, and its measure of how closed it is."""

import re
import tempfile
from pathlib import Path

from place import documented, run, seconds

# systemd's exposure level in tenths: below 2.0 is its "OK".
EXPOSURE = 15


def faults(place):
    text = (place.deploy / "systemd/triage.service").read_text()
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "triage.service"
        # The program need not be installed where this is checked.
        unit.write_text(text.replace("/usr/bin/triage", str(place.triage)))
        environment = {
            "LD_LIBRARY_PATH": str(next(place.systemd.glob("usr/lib/*/systemd"))),
            "SYSTEMD_UNIT_PATH": f"{folder}:{next(place.systemd.glob('**/sysinit.target')).parent}",
        }
        analyze = place.systemd / "usr/bin/systemd-analyze"
        code, verdict = run(analyze, "verify", unit, env=environment)
        found = [f"systemd-analyze verify: {line}" for line in verdict.splitlines()]
        if code != 0 and not found:
            found = [f"systemd-analyze verify: exit code {code}"]
        code, output = run(analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", unit, env=environment)
        if code != 0:
            found.append(f"systemd-analyze security: {output.strip().splitlines()[-1]}; {EXPOSURE / 10} is allowed")
    grace = seconds(documented(place, "engine.stop_grace"))
    told = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    if told is None or float(told[1]) <= grace:
        found.append(f"triage.service: TimeoutStopSec is to be more than engine.stop_grace, {grace:.0f} s")
    return found
