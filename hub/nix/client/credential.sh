# Which credential the hub accepts from this host: current, on a 401 next, then previous. So a rotation
# needs this machine and the hub to be deployed in no particular order. Sourced by what runs restic,
# with the host's file of the bundle in the environment, and `credentials_file`, which may be empty:
# that file's path.

# Says a line with its priority (sd-daemon(3)).
say() {
  local priority=$1
  shift
  if [ -n "${JOURNAL_STREAM:-}" ]; then printf '<%s>%s\n' "$priority" "$*" >&2; else printf '%s\n' "$*" >&2; fi
}

# What the server answers to a password: an HTTP status, 000 for none. Passwords reach curl on its
# standard input; they hold no character that would need quoting.
answer_to() {
  printf 'user = "%s:%s"\n' "$RESTIC_REST_USERNAME" "$1" |
    curl --config - --silent --head --output /dev/null --write-out '%{http_code}' --max-time 60 \
      --retry "${OFFSITE_RETRIES:-4}" --retry-all-errors \
      ${RESTIC_CACERT:+--cacert "$RESTIC_CACERT"} "${RESTIC_REPOSITORY#rest:}config" || true
}

# Keeps apart what the host holds and what was chosen of it. The file is read again each time: a backup
# may run for days, and this machine may be deployed meanwhile.
read_credentials() {
  local name value
  export OFFSITE_HUB_PASSWORD=${OFFSITE_HUB_PASSWORD:-${RESTIC_REST_PASSWORD:-}}
  [ -r "${credentials_file:-}" ] || return 0
  while IFS='=' read -r name value || [ -n "$name" ]; do
    case $name in
      RESTIC_REST_PASSWORD) OFFSITE_HUB_PASSWORD=$value ;;
      OFFSITE_HUB_PASSWORD_NEXT | OFFSITE_HUB_PASSWORD_PREVIOUS) printf -v "$name" %s "$value" ;;
    esac
  done <"$credentials_file"
}

# Tries them. Sets `name`, `password` and `answer`; `name` is "refused" where all are.
try_credentials() {
  local round
  answer=''
  for round in 1 2; do
    read_credentials
    for name in current next previous; do
      case $name in
        current) password=$OFFSITE_HUB_PASSWORD ;;
        next) password=${OFFSITE_HUB_PASSWORD_NEXT:-} ;;
        previous) password=${OFFSITE_HUB_PASSWORD_PREVIOUS:-} ;;
      esac
      [ -n "$password" ] || continue
      answer=$(answer_to "$password")
      # Anything but a 401 says nothing against it.
      if [ "$answer" != 401 ]; then return 0; fi
    done
    # The hub may have changed over between two of the questions: so once more.
    if [ "$round" = 1 ]; then sleep "${OFFSITE_PAUSE:-2}"; fi
  done
  name=refused
}

# For the metrics, and so that a run says each thing once. A server that gave no answer proved nothing.
note_credential() {
  local name=$1 before=''
  if [ -n "${RUNTIME_DIRECTORY:-}" ]; then
    if [ -e "$RUNTIME_DIRECTORY/credential" ]; then before=$(cat -- "$RUNTIME_DIRECTORY/credential"); fi
    printf '%s\n' "$name" >"$RUNTIME_DIRECTORY/credential"
  fi
  if [ "$name" = "$before" ]; then return 0; fi
  case $name in
    next) say 4 "the hub accepted the next credential, not the current one: this host still owes a deployment. Deploy it before the next rotation, which would shut it out" ;;
    previous) say 4 "the hub accepted the previous credential, not the current one: the hub still owes a deployment. Deploy it before the next rotation" ;;
  esac
}

# Sets RESTIC_REST_PASSWORD to what is accepted, and `answer` to what the server said: 200 where the
# repository is there, 404 where it is not. Says when it was not the current one.
choose_credential() {
  local name='' password=''
  try_credentials
  case $answer in 000 | 5??) ;; *) note_credential "$name" ;; esac
  if [ "$name" = refused ]; then
    say 3 "error: the hub refuses every credential that this host has for ${RESTIC_REPOSITORY#rest:} (HTTP 401). Either there were two rotations without a deployment of this host or of the hub between them, or its credentials were revoked. Deploy both with the bundle that \`pulumi up\` wrote last, and start the backup again"
    return 1
  fi
  export RESTIC_REST_PASSWORD=$password
}
