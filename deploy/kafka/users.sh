#!/usr/bin/env bash
# Users of Kafka and what they may do, with Kafka's own tools: SASL/SCRAM users, and ACLs by deploy/rights.txt.
#
#   users.sh setup                 the users of the table and their rights; what is there already stays as it is
#   users.sh add USER ROLE         another user with the rights of ROLE; for one who is there, only the rights
#   users.sh password USER         another password
#   users.sh block USER            nothing is allowed any more, at once; unblock USER takes that back
#   users.sh remove USER           password and rights
#   users.sh list                  who there is, and who is blocked
#
# A password comes from the variable PASSWORD_<USER> (capitals, `_` for other signs) or the file that PASSWORD_<USER>_FILE names.
# BOOTSTRAP_SERVERS is where the brokers are, COMMAND_CONFIG the properties file with which the administrator logs in, KAFKA_BIN
# the folder of kafka-acls.sh and kafka-configs.sh (by default they are looked for in PATH), RIGHTS another table.
set -euo pipefail
export LC_ALL=C

rights=${RIGHTS:-$(dirname "$0")/../rights.txt}
login=()
[ -z "${COMMAND_CONFIG:-}" ] || login=(--command-config "$COMMAND_CONFIG")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

die() {
  echo "users.sh: $*" >&2
  exit 1
}

# tool NAME ARGUMENTS...: one of Kafka's, whose output is shown if it fails.
tool() {
  local name=$1
  shift
  "${KAFKA_BIN:+$KAFKA_BIN/}$name" --bootstrap-server "${BOOTSTRAP_SERVERS:?names the brokers}" "${login[@]}" "$@" \
    >"$scratch/told" 2>"$scratch/failed" || {
    cat "$scratch/told" "$scratch/failed" >&2
    die "$name did not succeed"
  }
}

# Names go into ACLs and JAAS: letters, digits and a few signs.
is_name() {
  [[ $1 =~ ^[A-Za-z0-9._-]+$ ]] || die "\`$1\` is no name: letters, digits, \`.\`, \`_\` and \`-\`"
}

roles() {
  awk '!/^#/ && NF == 4 && $2 != "collection" { print $1 }' "$rights" | sort -u
}

# What USER may do with ROLE, a line each: kind, pattern, name, operation, in the tools' words.
wanted() {
  awk -v role="$1" '
    function allow(operations,   i, n, each) {
      n = split(operations, each, " ")
      for (i = 1; i <= n; i++) print kind, pattern, name, each[i]
    }
    /^#/ || NF == 0 { next }
    $1 != role || $2 == "collection" { next }
    {
      kind = $2 == "transaction" ? "transactional-id" : $2
      name = $3
      pattern = sub(/\*$/, "", name) ? "prefixed" : "literal"
      n = split($4, words, ",")
      for (w = 1; w <= n; w++) {
        if (words[w] == "read") allow("read describe")
        else if (words[w] == "write") allow("write describe")
        else if (words[w] == "make") allow("create describe describeconfigs")
        else if (words[w] == "settings") allow("describe describeconfigs")
        else { print "line " NR ": no such right: " words[w] > "/dev/stderr"; exit 1 }
      }
    }' "$rights" | sort -u
}

# Every ACL that allows, a line each: user, kind, pattern, name, operation.
allowed() {
  tool kafka-acls.sh --list
  awk '
    /resourceType=/ {
      match($0, /resourceType=[A-Z_]+/); kind = tolower(substr($0, RSTART + 13, RLENGTH - 13)); gsub(/_/, "-", kind)
      match($0, /patternType=[A-Z]+/); pattern = tolower(substr($0, RSTART + 12, RLENGTH - 12))
      name = $0; sub(/.*[( ]name=/, "", name); sub(/, patternType=.*/, "", name)
    }
    /principal=User:/ && /permissionType=ALLOW/ {
      user = $0; sub(/.*principal=User:/, "", user); sub(/, host=.*/, "", user)
      operation = $0; sub(/.*operation=/, "", operation); sub(/,.*/, "", operation)
      gsub(/_/, "", operation)
      print user, kind, pattern, name, tolower(operation)
    }' "$scratch/told" | sort -u
}

# change HOW USER < lines as of `wanted`: resources with the same operations go in one command. HOW is --add, or --remove --force.
change() {
  awk '{
      at = $1 " " $2 " " $3
      operations[at] = operations[at] " --operation " $4
    }
    END {
      for (at in operations) { split(at, part, " "); print part[2] operations[at] "\t--" part[1] " " part[3] }
    }' | sort >"$scratch/changes"
  local same resource resources=() before=
  while IFS=$'\t' read -r same resource; do
    [ "$same" = "$before" ] || { change_alike "$1" "$2" "$before" "${resources[@]}"; resources=(); }
    before=$same
    # shellcheck disable=SC2206 # a flag and a name without spaces
    resources+=($resource)
  done <"$scratch/changes"
  change_alike "$1" "$2" "$before" "${resources[@]}"
}

change_alike() {
  local how=$1 user=$2 pattern operations
  read -r pattern operations <<<"$3"
  [ -n "$pattern" ] || return 0
  # shellcheck disable=SC2086 # both are flags
  tool kafka-acls.sh $how --allow-principal "User:$user" --resource-pattern-type "$pattern" $operations "${@:4}"
}

rights_of() {
  awk -v user="$1" '$1 == user { print $2, $3, $4, $5 }' "$scratch/allowed" | sort
}

# Makes the rights of USER those of ROLE; $scratch/allowed says what there is.
reconcile() {
  local user=$1 role=$2
  wanted "$role" >"$scratch/wanted"
  rights_of "$user" >"$scratch/has"
  comm -23 "$scratch/wanted" "$scratch/has" >"$scratch/missing"
  comm -13 "$scratch/wanted" "$scratch/has" >"$scratch/surplus"
  change --add "$user" <"$scratch/missing"
  change "--remove --force" "$user" <"$scratch/surplus"
  if [ -s "$scratch/missing" ] || [ -s "$scratch/surplus" ]; then
    echo "$user: $(wc -l <"$scratch/missing") rights given, $(wc -l <"$scratch/surplus") taken"
  fi
}

# Into $scratch/users, a line each.
find_users() {
  tool kafka-configs.sh --describe --entity-type users
  sed -n "s/.*user-principal '\([^']*\)'.*SCRAM-SHA-512.*/\1/p" "$scratch/told" | sort -u >"$scratch/users"
}

is_user() {
  grep -qxF -- "$1" "$scratch/users"
}

password_of() {
  local variable
  variable=PASSWORD_$(tr '[:lower:]' '[:upper:]' <<<"$1" | tr -c 'A-Z0-9\n' '_')
  local file=${variable}_FILE password
  if [ -n "${!file:-}" ]; then
    password=$(<"${!file}")
  else
    password=${!variable:-}
  fi
  [ -n "$password" ] || die "no password for \`$1\`: set $variable or $file"
  [[ $password =~ ^[[:graph:]]+$ ]] || die "the password of \`$1\` has spaces or signs that are not printed"
  printf '%s' "$password"
}

# By way of a file: what is on a command line, everybody on the machine can see.
set_password() {
  local password
  password=$(password_of "$1")
  (umask 077 && printf 'SCRAM-SHA-512=iterations=8192,password=%s\n' "${password//\\/\\\\}" >"$scratch/scram")
  tool kafka-configs.sh --alter --entity-type users --entity-name "$1" --add-config-file "$scratch/scram"
  rm "$scratch/scram"
}

require_user() {
  is_name "$1"
  find_users
  is_user "$1" || die "there is no user \`$1\`"
}

deny() {
  tool kafka-acls.sh "$1" "${@:3}" --deny-principal "User:$2" --operation All \
    --topic '*' --group '*' --transactional-id '*' --cluster
}

setup() {
  local role
  find_users
  allowed >"$scratch/allowed"
  # All passwords before anything is made.
  for role in $(roles); do
    is_user "$role" || password_of "$role" >/dev/null
  done
  for role in $(roles); do
    make_user "$role"
    reconcile "$role" "$role"
  done
}

make_user() {
  is_user "$1" || { set_password "$1"; echo "$1: made"; }
}

add() {
  is_name "$1"
  roles >"$scratch/roles"
  grep -qxF -- "$2" "$scratch/roles" || die "there is no role \`$2\`, only: $(paste -sd ' ' "$scratch/roles")"
  find_users
  make_user "$1"
  allowed >"$scratch/allowed"
  reconcile "$1" "$2"
}

remove() {
  require_user "$1"
  allowed >"$scratch/allowed"
  rights_of "$1" >"$scratch/surplus"
  change "--remove --force" "$1" <"$scratch/surplus"
  deny --remove "$1" --force
  tool kafka-configs.sh --alter --entity-type users --entity-name "$1" --delete-config SCRAM-SHA-512
}

list() {
  local user blocked
  find_users
  tool kafka-acls.sh --list
  blocked=$(sed -n 's/.*principal=User:\([^,]*\),.*permissionType=DENY.*/\1/p' "$scratch/told" | sort -u)
  while read -r user; do
    if grep -qxF -- "$user" <<<"$blocked"; then echo "$user blocked"; else echo "$user"; fi
  done <"$scratch/users"
}

case "${1:-} $#" in
  "setup 1") setup ;;
  "add 3") add "$2" "$3" ;;
  "password 2") require_user "$2" && set_password "$2" ;;
  "block 2") require_user "$2" && deny --add "$2" ;;
  "unblock 2") require_user "$2" && deny --remove "$2" --force ;;
  "remove 2") remove "$2" ;;
  "list 1") list ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
