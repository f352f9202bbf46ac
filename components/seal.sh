# Writes or removes one file of the bundle: `sh components/seal.sh create`, `update` or `remove`.
#
# The content comes on standard input, the rest in the environment:
#   DIRECTORY   the bundle's, which is fort-offsite's own
#   FILE        where the file belongs in it
#   FORMAT      age or sops (encrypted to RECIPIENTS), plain (mode 0600), public (mode 0644)
#   RECIPIENTS  public keys, one a line
#   REPAIR      when a change made by hand was found; not used here
# Prints the SHA-256 of the file that it wrote.
# The file is there as a whole or not at all, whatever happens on the way.

set -eu
umask 077

die() {
  printf '%s: %s\n' "$FILE" "$*" >&2
  exit 1
}

need() {
  command -v "$1" >/dev/null 2>&1 || die "needs the program $1, which is not on PATH"
}

mark=$DIRECTORY/.fort-offsite

# The first file marks the directory. One that has files and no mark is somebody else's.
claim() {
  mkdir -p "$DIRECTORY"
  # Several files are written at once: another may have put the mark there since it was missed.
  [ -e "$mark" ] || [ -z "$(ls -A "$DIRECTORY")" ] || [ -e "$mark" ] ||
    die "$DIRECTORY has files that fort-offsite did not write. Choose a directory of its own as seal.directory"
  put_mark
}

put_mark() {
  (umask 022 && printf 'Written by fort-offsite: pulumi up writes the files here, and removes them.\n' >"$mark")
}

# What somebody put where the file, or the hosts' directory, must be. A directory with something in it
# is never removed, and a rename would move the file into it.
clear_way() {
  parent=$(dirname "$FILE")
  # Several files are written at once: another may have made the directory since.
  [ -d "$parent" ] || [ "$parent" = "$DIRECTORY" ] || rm -f "$parent" 2>/dev/null || :
  [ -d "$FILE" ] || return 0
  if [ -L "$FILE" ]; then rm -f "$FILE"; else
    rmdir "$FILE" 2>/dev/null ||
      die "is a directory with something in it, must be a file. Move the directory away, then run pulumi up"
  fi
}

write() {
  clear_way
  mkdir -p "$(dirname "$FILE")"
  temporary=$(mktemp "$FILE.XXXXXX")
  trap 'rm -f "$temporary"' EXIT
  trap 'exit 1' HUP INT TERM
  mode=0644
  case $FORMAT in
  age)
    need age
    set --
    while read -r recipient; do set -- "$@" --recipient "$recipient"; done <<EOF
$RECIPIENTS
EOF
    age --encrypt "$@" >"$temporary"
    ;;
  sops)
    need sops
    # No configuration: the nearest .sops.yaml may have no rule for this file, or another one.
    # The pipe: sops opens /dev/stdin by its name, which only works for pipes and files.
    cat | sops --config /dev/null --encrypt --age "$(printf '%s' "$RECIPIENTS" | tr '\n' ',')" \
      --input-type binary --output-type binary /dev/stdin >"$temporary"
    ;;
  plain)
    mode=0600
    cat >"$temporary"
    ;;
  public) cat >"$temporary" ;;
  *) die "got the format \"$FORMAT\", must be age, sops, plain or public" ;;
  esac
  chmod "$mode" "$temporary"
  sync "$temporary" 2>/dev/null || sync
  checksum=$( (sha256sum "$temporary" || shasum -a 256 "$temporary") 2>/dev/null) || checksum=
  mv -f "$temporary" "$FILE"
  printf '%s\n' "${checksum%% *}"
}

remove() {
  rm -f "$FILE"
  # The hosts' directory goes with its last file, and the bundle's with the last of all.
  rmdir "$(dirname "$FILE")" 2>/dev/null || :
  [ "$(ls -A "$DIRECTORY" 2>/dev/null)" != .fort-offsite ] || {
    rm -f "$mark"
    rmdir "$DIRECTORY" 2>/dev/null || :
  }
}

case ${1-} in
create)
  claim
  write
  ;;
update)
  # It was ours before: somebody may have removed all of it.
  mkdir -p "$DIRECTORY"
  put_mark
  write
  ;;
remove) remove ;;
*) die "got \"${1-}\", must be create, update or remove" ;;
esac
