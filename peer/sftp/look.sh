# Looks at an SFTP directory on this machine, against what the last installation left. Nothing is
# changed by it; with "seal", what has arrived is sealed now. It arrives below the variables of
# peer/sftp/script.ts, thorough among them, and common.sh.
#
# A line each: "changed" and what differs, "unconfined" and sshd's words for it, "unscheduled",
# "unmounted" and the disk that is missing, "pending", "sealed" with when it ran last, how many files
# wait and were set aside, "host" with name, snapshots, when the newest came, and how many files are
# not sealed; "quota", "used" and "free" in bytes, "now"; and "looked" at the end.

[ "$(id -u)" -eq 0 ] || die 'user: is not root. Let targets.<name>.ssh.user be root, or a user who may use sudo without a password'
case ${1-} in
look) ;;
seal)
  [ "$(cat "$state/project" 2>/dev/null)" = "$project" ] || die "$data_dir is not this target's"
  exec sh "$state/seal.sh" wait </dev/null
  ;;
*) die "got \"$*\", must be look or seal" ;;
esac

if [ "$(cat "$state/project" 2>/dev/null)" != "$project" ]; then
  point=$(unmounted)
  if [ -n "$point" ]; then say "unmounted $point"; else say 'absent'; fi
  say 'looked'
  exit 0
fi
# What was installed, and not what the settings say by now: that is no drift.
[ ! -f "$state/users" ] || users=$(cat "$state/users")
find_sshd || die 'this connection does not come through the OpenSSH server of this machine'
find_dropins
find_schedule

if [ -f "$state/footprint" ]; then
  footprint | grep -vxF -f "$state/footprint" | sed 's/ [^ ]*$//; s/^/changed /' || :
else
  say 'changed everything'
fi
confines "$sshd_config" | sed 's/^/unconfined /'
[ "$(cat "$state/loaded" 2>/dev/null)" = "$(sha256 "$dropin")" ] || say 'changed the settings that sshd has read'
is_scheduled || say 'unscheduled'
[ ! -e "$state/pending" ] || say 'pending'
[ ! -f "$state/sealed" ] || sed 's/^/sealed /' "$state/sealed"
[ ! -f "$state/quota" ] || sed 's/^/quota /' "$state/quota"

say "$users" | awk 'NF && $2 != "-" { print $2 }' | while read -r host; do
  repository=$repositories/$host/repository
  [ -d "$repository" ] || { say "host $host 0 0 0" && continue; }
  seen=$(find "$repository/snapshots" -maxdepth 1 -type f -exec stat -c '%Z' {} + 2>/dev/null |
    awk '$1 > newest { newest = $1 } END { printf "%d %d", NR, newest }')
  open=$(find "$repository" -xdev -type f ! -uid 0 ! -path "$repository/locks/*" | wc -l)
  say "host $host $seen $((open))"
done
[ -z "$thorough" ] || say "used $(($(du -sk "$repositories/" | awk '{ print $1 }') * 1024))"
say "free $(($(df -Pk "$repositories" | awk 'NR == 2 { print $4 }') * 1024))"
say "now $(date +%s)"
say 'looked'
