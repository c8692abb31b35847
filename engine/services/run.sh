#!/usr/bin/env bash
# The main job on real servers: the gateway sends ten patients' readings, the engine judges and stores them, the nurse's
# reader prints her alerts. Ctrl-C ends all three; the servers stay up.
#   run.sh FILE TRIAGE PYTHON [FLAGS OF triage run...]
set -euo pipefail
. "$1"
triage=$2 python=$3
shift 3
children=()
stop() {
  trap - EXIT INT TERM
  kill "${children[@]}" 2>/dev/null || true
  wait || true
}
trap stop EXIT INT TERM
"$triage" run --watch --rules rules/hospital --set kafka.partitions=2 "$@" &
engine=$!
children+=("$engine")
"$triage" gateway datasets/patients.csv --every 5s >/dev/null 2>&1 &
children+=("$!")
"$python" deploy/readers/nurse.py --bootstrap-servers "$TRIAGE_KAFKA_BOOTSTRAP_SERVERS" --topic alerts.vitals &
children+=("$!")
wait "$engine"
