#!/usr/bin/env bash
# Makes the secrets of compose.yaml, each a file of its own, and only those that are not there yet: passwords, addresses, the
# hospital's own authority, and what it certifies. It needs `openssl`.
#   secrets.sh FOLDER
set -euo pipefail
folder=$1

# The folder is closed to others. The files are not: each goes into its containers as it is, for a user of another number.
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

make() {
  if [ -s "$folder/$1" ]; then
    cat >/dev/null
    return
  fi
  cat >"$folder/$1.part"
  chmod 444 "$folder/$1.part"
  mv "$folder/$1.part" "$folder/$1"
  echo "$folder/$1: made"
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256; }

# A key and a certificate for the host NAME, and for loopback, in one file as Kafka and MongoDB read them.
issue() {
  local key
  key=$(new_key)
  printf '%s\n' "$key"
  openssl req -new -key <(printf '%s\n' "$key") -subj "/CN=$1" |
    openssl x509 -req -CA "$folder/authority" -CAkey "$folder/authority-key" -set_serial "0x$(random | cut -c -32)" \
      -days 3650 -extfile <(printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' "$1")
}

for name in http-token metrics-token mongodb-root grafana-admin kafka-ui; do
  random | make "$name"
done
for user in administrator engine researcher cardiologist emergency-doctor endocrinologist lipidologist nurse; do
  random | make "mongodb-$user"
done
for user in administrator cardiologist emergency-doctor endocrinologist engine engineer gateway lipidologist nurse store; do
  random | make "kafka-$user"
done
# The file of the authority is where containers have it.
printf 'mongodb://root:%s@mongodb:27017/?authSource=admin&tls=true&tlsCAFile=/run/secrets/authority' \
  "$(cat "$folder/mongodb-root")" | make mongodb-root-uri
printf 'mongodb://engine:%s@mongodb:27017/?authSource=Ehealth' "$(cat "$folder/mongodb-engine")" | make mongodb-uri

# Nobody is there (RFC 2606), until the hospital says whom Alertmanager tells.
for receiver in pager shift switch; do
  printf 'http://%s.invalid/' "$receiver" | make "$receiver-url"
done

# The authority's key goes into no container. Whoever deletes one of these four files deletes all of them, for new ones.
new_key | make authority-key
openssl req -x509 -new -key "$folder/authority-key" -subj /CN=hospital -days 3650 | make authority
for host in kafka mongodb; do
  if [ ! -s "$folder/$host-keystore" ]; then
    keystore=$(issue "$host")
    printf '%s\n' "$keystore" | make "$host-keystore"
  fi
  openssl verify -CAfile "$folder/authority" -verify_hostname "$host" "$folder/$host-keystore" >/dev/null
done
