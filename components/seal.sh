# Writes or removes one file of the bundle: `sh components/seal.sh write` or `remove`.
#
# The content comes on standard input, the rest in the environment:
#   FILE        where the file belongs
#   FORMAT      age or sops (encrypted to RECIPIENTS), plain (mode 0600), public (mode 0644)
#   RECIPIENTS  public keys, one a line
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

write() {
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
  mv -f "$temporary" "$FILE"
}

remove() {
  rm -f "$FILE"
  # The hosts' directory goes with its last file.
  rmdir "$(dirname "$FILE")" 2>/dev/null || :
}

case ${1-} in
write) write ;;
remove) remove ;;
*) die "got \"${1-}\", must be write or remove" ;;
esac
