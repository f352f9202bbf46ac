# For a prune by the operator: lists what lies in an SFTP directory, and removes what is named. It
# arrives below the variables of peer/sftp/script.ts and common.sh; `hosts`, and for a removal `files`,
# a line each: host, kind, name.

[ "$(id -u)" -eq 0 ] || die 'user: is not root. Let targets.<name>.ssh.user be root, or a user who may use sudo without a password'
[ "$(cat "$state/project" 2>/dev/null)" = "$project" ] ||
  die "dataDir: $data_dir is not this target's. Install it first with: pulumi up"

# When a file came is its time of change, which nobody sets who comes by SFTP.
list() {
  for host in $hosts; do
    repository=$repositories/$host/repository
    [ -d "$repository" ] || continue
    # A name with a line break in it would be read as another file's line.
    LC_ALL=C find "$repository" -xdev -type f ! -path '*[!A-Za-z0-9._/-]*' -exec stat -c "file $host %s %Z %n" {} + |
      sed "s|^\(file [^ ]* [0-9]* [0-9]* \)$repository/|\1|"
    # By its bytes it is known whether it is the hub's repository. No more than any config has.
    if [ -f "$repository/config" ] && [ ! -L "$repository/config" ]; then
      say "config $host $(head -c 65536 "$repository/config" | base64 | tr -d '\n')"
    fi
  done
  say "now $(date +%s)"
  say 'listed'
}

remove() {
  # Not beside the sealing: it could put back what it has just copied.
  exec 8>"$state/seal.lock"
  flock -w 300 8 || die 'the sealing has been at work for five minutes, nothing was removed'
  say "$files" | while read -r host kind name; do
    [ -n "$host" ] || continue
    case $host in *[!a-z0-9-]*) die "got the host $host" ;; esac
    case $name in *[!0-9a-f]*) die "got the name $name" ;; esac
    [ "${#name}" -eq 64 ] || die "got the name $name"
    folder=$repositories/$host/repository/$kind
    case $kind in
    snapshots | index | keys) ;;
    data) folder=$folder/${name%"${name#??}"} ;;
    *) die "got the kind $kind" ;;
    esac
    if [ -L "$folder" ] || [ "$(stat -c %u "$folder" 2>/dev/null)" != 0 ]; then die "$folder is not root's"; fi
    rm -f "$folder/$name"
  done
  say 'removed'
}

case ${1-} in
list) list </dev/null ;;
remove) remove </dev/null ;;
*) die "got \"$*\", must be list or remove" ;;
esac
