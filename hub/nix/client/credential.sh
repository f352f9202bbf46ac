# Which credential the hub accepts from this host: current, on a 401 next, then previous. So a rotation
# needs this machine and the hub to be deployed in no particular order. Sourced by what runs restic,
# with the host's file of the bundle in the environment.

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

# Sets RESTIC_REST_PASSWORD to what is accepted, and `answer` to what the server said: 200 where the
# repository is there, 404 where it is not. Says when it was not the current one.
choose_credential() {
  local name password='' before=''
  for name in current next previous refused; do
    case $name in
      current) password=${RESTIC_REST_PASSWORD:-} ;;
      next) password=${OFFSITE_HUB_PASSWORD_NEXT:-} ;;
      previous) password=${OFFSITE_HUB_PASSWORD_PREVIOUS:-} ;;
      refused) break ;;
    esac
    [ -n "$password" ] || continue
    answer=$(answer_to "$password")
    # Anything but a 401 says nothing against it.
    if [ "$answer" != 401 ]; then break; fi
  done
  if [ "$name" = refused ]; then
    say 3 "error: the hub refuses every credential that this host has for ${RESTIC_REPOSITORY#rest:} (HTTP 401). Deploy the hub and this host with the bundle that \`pulumi up\` wrote last"
    return 1
  fi
  if [ -n "${RUNTIME_DIRECTORY:-}" ]; then
    if [ -e "$RUNTIME_DIRECTORY/credential" ]; then before=$(cat -- "$RUNTIME_DIRECTORY/credential"); fi
    printf '%s\n' "$name" >"$RUNTIME_DIRECTORY/credential"
  fi
  if [ "$name" != "$before" ]; then
    case $name in
      next) say 4 "the hub accepted the next credential, not the current one: this host still owes a deployment" ;;
      previous) say 4 "the hub accepted the previous credential, not the current one: the hub still owes a deployment" ;;
    esac
  fi
  export RESTIC_REST_PASSWORD=$password
}
