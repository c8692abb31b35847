#!/usr/bin/env bash
# Users of MongoDB and what they may do, with mongosh: roles by deploy/rights.txt, and a user of each role's name.
#
#   users.sh setup                 roles and users of the table, and the administrator; who is there already stays as they are
#   users.sh add USER ROLE         another user
#   users.sh password USER         another password
#   users.sh block USER            nothing is allowed any more, at once; unblock USER takes that back
#   users.sh remove USER           for good; no document goes with the user
#   users.sh list                  who there is, with which role, and who is blocked
#
# A password comes from the variable PASSWORD_<USER> (capitals, `_` for other signs) or the file that PASSWORD_<USER>_FILE names.
# MONGODB_URI, or the file MONGODB_URI_FILE, is how the administrator logs in: the first time as the server's own administrator,
# later as `administrator` (authSource=Ehealth). MONGODB_DATABASE is another database than Ehealth, RIGHTS another table, MONGOSH
# where mongosh is.
set -euo pipefail

case "${1:-} $#" in
  "setup 1" | "list 1" | "add 3" | "password 2" | "block 2" | "unblock 2" | "remove 2") ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
for word in "$@"; do
  [[ $word =~ ^[A-Za-z0-9._-]+$ ]] || { echo "users.sh: \`$word\` is no name: letters, digits, \`.\`, \`_\` and \`-\`" >&2; exit 2; }
done
TRIAGE_USERS="$*" exec "${MONGOSH:-mongosh}" --nodb --quiet "$(dirname "$0")/roles.js"
