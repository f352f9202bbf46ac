# Runs restic with a credential that the hub accepts. Sourced after credential.sh, with
# `path_for_restic`, the PATH that restic is to have.

# A hub that is deployed while restic works refuses the credential that it was begun with, and restic
# gives up at a 401. Then it is run again with the one that is accepted now: what has been sent is at
# the hub, and is not sent again.
RUNS=5

# restic alone, without what restores from elsewhere and what it has no use for.
restic_itself() (
  local name
  for name in "${!OFFSITE_@}"; do unset "$name"; done
  PATH=$path_for_restic exec "$@"
)

# Whether a run that ended so is to be repeated: not what was interrupted, nor what has had its
# standard input. With 3 the snapshot is made, without files that could not be read.
is_worth_repeating() {
  local status=$1
  if [ "$status" = 3 ] || [ "$status" -ge 128 ] || [ -n "$interrupted" ]; then return 1; fi
  if [ ! -c /dev/stdin ]; then return 1; fi
  [ "$(answer_to "$RESTIC_REST_PASSWORD")" = 401 ]
}

# Runs a program that is restic with arguments, and ends as it does.
run_restic() {
  local status run interrupted=''
  if [ -z "${RESTIC_REST_USERNAME:-}" ]; then
    restic_itself "$@"
    return
  fi
  # restic gets it as well, and this waits for it.
  trap 'interrupted=yes' HUP INT TERM
  for ((run = 1; ; run++)); do
    choose_credential || return 1
    if [ -n "$interrupted" ]; then return 130; fi
    status=0
    restic_itself "$@" || status=$?
    if [ "$status" = 0 ] || [ "$run" = "$RUNS" ] || ! is_worth_repeating "$status"; then return "$status"; fi
    say 4 "the hub has changed over to another credential while restic worked, and refuses the one that it was begun with: running it again with the one that is accepted now"
    # Its lock is still there, for it could not take it away. Only those of ended processes go.
    if choose_credential; then restic_itself "$1" unlock --quiet </dev/null >/dev/null 2>&1 || true; fi
  done
}
