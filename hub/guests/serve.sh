# Serves one guest: a rest-server of its own that appends only and keeps a limit.
#   sh hub/guests/serve.sh [more arguments of rest-server, such as --listen=…]
#
# In the environment:
#   GUEST            its name
#   GUEST_DIRECTORY  its directory, for nobody else
#   GUEST_HTPASSWD   the users that are accepted, which the bundle has as guests/<guest>.htpasswd
#   GUEST_MAX_BYTES  what its files may hold together
#   GUEST_MAY_DELETE not empty for the while in which the guest prunes: the server is not append-only
#   GUEST_PAUSE      seconds between two looks at the disk (10)
#   REST_SERVER      the program (rest-server on PATH)
#
# rest-server refuses what goes over its --max-size. It counts the content of files, and no config
# file at all: whoever means harm can take more of the disk than that. So the disk itself is looked at;
# above the limit and what an honest repository takes beside it, the server is killed and does not
# start again until somebody has looked.

set -eu
umask 007

# Blocks that are not full, folders: a twentieth and 64 MiB. Files: restic's are of 16 MiB, the least
# that a backup adds is some of a few KiB.
most_bytes=$((GUEST_MAX_BYTES + GUEST_MAX_BYTES / 20 + 67108864))
most_files=$((GUEST_MAX_BYTES / 65536 + 100000))

# Files come and go while du looks: what it says is good all the same.
taken() {
  du --summarize "$1" -- "$GUEST_DIRECTORY" 2>/dev/null | cut -f1
}

is_too_much() {
  bytes=$(taken --block-size=1)
  files=$(taken --inodes)
  [ "${bytes:-0}" -gt "$most_bytes" ] || [ "${files:-0}" -gt "$most_files" ] || return 1
  printf 'error: %s takes %s bytes of the disk in %s files, and its limit is %s bytes: it is not served until that is less. See docs/guests.md\n' \
    "$GUEST" "$bytes" "$files" "$GUEST_MAX_BYTES" >&2
}

if [ -z "$(taken --inodes)" ]; then
  printf 'error: du tells nothing of %s. Is it there, and is du of the GNU coreutils?\n' "$GUEST_DIRECTORY" >&2
  exit 1
fi
if is_too_much; then exit 1; fi

# The server takes this process's place, which a socket of systemd's is handed to by its number.
server=$$
(
  while sleep "${GUEST_PAUSE:-10}" && kill -0 "$server" 2>/dev/null; do
    if is_too_much; then
      # By TERM it would end as if all were well, and nobody would be told.
      kill -KILL "$server"
      break
    fi
  done
) &

[ -n "${GUEST_MAY_DELETE-}" ] || set -- --append-only "$@"
exec "${REST_SERVER:-rest-server}" \
  --path "$GUEST_DIRECTORY" \
  --htpasswd-file "$GUEST_HTPASSWD" \
  --max-size "$GUEST_MAX_BYTES" \
  --group-accessible-repos \
  "$@"
