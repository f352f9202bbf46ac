# Before a backup: makes the repository on the very first run, and dumps the databases. Sourced with
# credential.sh, and with the folders `dumps`, `state` and `runtime`.

dumps_failed=$runtime/dumps-failed

# Runs a program as somebody else, without the environment that holds this unit's secrets.
as() {
  local user=$1 group=$2
  shift 2
  setpriv --reuid="$user" --regid="$group" --clear-groups --no-new-privs -- env -i PATH="$PATH" "$@"
}

# A dump that fails must not keep the rest from being backed up: it is noted, said, and fails the
# unit once the backup is made.
dump() {
  local what=$1
  shift
  if "$@"; then return 0; fi
  printf '%s\n' "$what" >>"$dumps_failed"
  say 3 "error: $what could not be dumped; the backup goes on without it, and this unit will fail"
}

# Keeps what a program writes to standard output, if all goes well.
keep() {
  local file=$1
  shift
  mkdir -p -- "$(dirname -- "$file")" || return 1
  if "$@" >"$file.partial"; then mv -- "$file.partial" "$file"; else
    rm -f -- "$file.partial"
    return 1
  fi
}

dump_postgresql() {
  keep "$dumps/postgresql.sql" as postgres postgres "$@"
}

# A sound copy, made as the database's owner, who may be nobody to trust: root touches nothing that
# the owner could have put in its way. The unit has a /tmp of its own.
dump_sqlite() {
  local file=$1 user group
  user=$(stat -L -c %u -- "$file") && group=$(stat -L -c %g -- "$file") || return 1
  # shellcheck disable=SC2016 # expanded by that shell
  keep "$dumps/sqlite$file" as "$user" "$group" bash -c '
    set -euo pipefail
    folder=$(mktemp -d)
    trap "rm -rf -- \"$folder\"" EXIT
    sqlite3 -readonly -cmd ".timeout 60000" "$1" "VACUUM INTO \"$folder/copy\""
    cat -- "$folder/copy"
  ' - "$file"
}

# Makes the repository when the server says that there is none. Never on any other answer; and never
# when this host has had one already: then the hub has lost it or a disk there is not mounted, and a
# new and empty one would hide that.
ensure_repository() {
  local known=$state/repository
  case $answer in
    200) date -u +%FT%TZ >"$known" ;;
    404)
      if [ -e "$known" ]; then
        say 3 "error: the hub has no repository of this host any more; $(cat -- "$known") it was there. Find it at the hub. To begin with an empty one, remove $known"
        return 1
      fi
      restic init
      date -u +%FT%TZ >"$known"
      ;;
    # restic tries for longer, and says what it is.
    *) ;;
  esac
}
