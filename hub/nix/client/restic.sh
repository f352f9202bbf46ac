# restic with the credential that the hub accepts: current, on a 401 next, then previous. So a
# rotation needs this machine and the hub to be deployed in no particular order. Sourced with
# `restic` set to the program; what comes after has RESTIC_REST_PASSWORD set to what was accepted.

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
      ${RESTIC_CACERT:+--cacert "$RESTIC_CACERT"} "${url%/}/config" || true
}

choose_credential() {
  local url=${RESTIC_REPOSITORY#rest:} accepted='' name password
  for name in current next previous; do
    case $name in
      current) password=${RESTIC_REST_PASSWORD:-} ;;
      next) password=${OFFSITE_HUB_PASSWORD_NEXT:-} ;;
      previous) password=${OFFSITE_HUB_PASSWORD_PREVIOUS:-} ;;
    esac
    [ -n "$password" ] || continue
    # Anything but a 401 says nothing against it. Without an answer, restic may say more.
    if [ "$(answer_to "$password")" != 401 ]; then
      accepted=$name
      break
    fi
  done
  case $accepted in
    '')
      say 3 "error: the hub refuses every credential that this host has for $url (HTTP 401). Deploy the hub and this host with the bundle that \`pulumi up\` wrote last"
      return 1
      ;;
    next) say 4 "the hub accepted the next credential, not the current one: this host still owes a deployment" ;;
    previous) say 4 "the hub accepted the previous credential, not the current one: the hub still owes a deployment" ;;
  esac
  if [ -n "${RUNTIME_DIRECTORY:-}" ]; then printf '%s\n' "$accepted" >"$RUNTIME_DIRECTORY/credential"; fi
  RESTIC_REST_PASSWORD=$password
  export RESTIC_REST_PASSWORD
}

case ${RESTIC_REPOSITORY:-} in
  rest:*)
    if [ -n "${RESTIC_REST_USERNAME:-}" ]; then choose_credential; fi
    ;;
esac
# What restores from elsewhere is not for this run.
for name in ${!OFFSITE_@}; do unset "$name"; done
