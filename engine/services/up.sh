#!/usr/bin/env bash
# Starts the servers in the background, if they are not up, and waits until they answer.
#   up.sh FILE COMMAND...: COMMAND gets FILE, and writes to it where the servers are.
set -euo pipefail
file=$1
shift
if [ -f "$file" ]; then
  . "$file"
  if kill -0 "$SERVICES_PID" 2>/dev/null; then
    echo "the servers are up: Kafka at $TRIAGE_KAFKA_BOOTSTRAP_SERVERS; \`. $file\` sets the variables"
    exit 0
  fi
  rm "$file"
fi
mkdir -p "$(dirname "$file")"
nohup "$@" "$file" >"$file.log" 2>&1 </dev/null &
pid=$!
until [ -f "$file" ]; do
  if ! kill -0 "$pid" 2>/dev/null; then
    cat "$file.log" >&2
    echo "the servers did not start" >&2
    exit 1
  fi
  sleep 0.2
done
cat "$file.log"
echo "\`. $file\` sets the variables that \`triage\` and the readers take; \`make services-down\` stops the servers"
