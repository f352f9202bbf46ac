# Seals what has arrived by SFTP: puts a copy of root's, which nobody else can change, in the place of
# each file, once its content is what its name says. SFTP knows no append-only; with this, whoever has
# the hub's key can destroy what arrived since the last run, and nothing older.
#
# A copy, and not the file with another owner: who still has the file open cannot write to the copy,
# and nothing that is put in the file's place meanwhile is touched. It can be killed anywhere.
#
#   $data_dir/sftp/sealed     when it ran last, in seconds, and how many files wait and were set aside
#   $data_dir/damaged         what is not what its name says: set aside, so that the hub sends it again

set -eu
umask 077
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL=C

state=$data_dir/sftp
repositories=$data_dir/repositories
# On the disk of what is sealed: there a copy takes a file's place at once or not at all.
work=$repositories/.sealing

exec 8>"$state/seal.lock"
# seal.sh wait: for somebody who asks for it now, and not in a few minutes.
if [ "${1-}" = wait ]; then flock -w 300 8; else flock -n 8 || exit 0; fi
rm -rf "$work"
mkdir "$work"
list=$state/arrived
waiting=0

# seal FILE NAME: NAME is its SHA-256, or "config".
seal() {
  file=$1 name=$2
  rm -f "$work/copy"
  # Never a link's target, whatever the path has become since it was listed.
  cp --no-dereference --reflink=auto --preserve=timestamps "$file" "$work/copy" 2>/dev/null ||
    cp -P -p "$file" "$work/copy" 2>/dev/null || return 1
  if [ -L "$work/copy" ] || [ ! -f "$work/copy" ] || [ ! -s "$work/copy" ]; then return 1; fi
  [ "$name" = config ] || [ "$(sha256sum <"$work/copy" | cut -c 1-64)" = "$name" ] || return 2
  chown "0:$hub_group" "$work/copy"
  chmod 0444 "$work/copy"
  sync "$work/copy" 2>/dev/null || sync
  mv -fT "$work/copy" "$file"
}

# set_aside FILE: only what nobody has written to for ten minutes, as the clock has it that nobody sets.
set_aside() {
  [ -n "$(find "$1" -maxdepth 0 -type f -cmin +10 2>/dev/null)" ] || return 1
  mkdir -p "$data_dir/damaged"
  mv -fT "$1" "$data_dir/damaged/$(printf '%s' "${1#"$repositories/"}" | tr / .)"
}

# hollow FILE: whether it is large and mostly holes. Nobody honest sends that, and its hash takes hours
# in which nothing else would be sealed.
hollow() {
  stat -c '%s %b %B' "$1" 2>/dev/null | awk '{ exit !($1 > 1048576 && $2 * $3 < $1 / 2) }'
}

# No name of ours has another character: one with a line break would be read as another file's.
find "$repositories" -xdev -mindepth 3 -maxdepth 5 -path '*/repository/*' -type f ! -uid 0 \
  ! -path '*[!A-Za-z0-9._/-]*' >"$list"
while IFS= read -r file; do
  path=${file#"$repositories"/*/repository/}
  name=${path##*/}
  # Its folder must be root's: only then does nobody put another in its place.
  [ "$(stat -c %u "${file%/*}" 2>/dev/null)" = 0 ] || continue
  case $path in
  config) ;;
  *.partial)
    # rclone's, of a transfer that broke off.
    [ -z "$(find "$file" -maxdepth 0 -type f -cmin +2880 2>/dev/null)" ] || rm -f "$file"
    continue
    ;;
  "data/${name%"${name#??}"}/$name" | "index/$name" | "keys/$name" | "snapshots/$name")
    case $name in *[!0-9a-f]*) continue ;; esac
    [ "${#name}" -eq 64 ] || continue
    ;;
  *) continue ;;
  esac
  if hollow "$file"; then result=1; elif seal "$file" "$name"; then continue; else result=$?; fi
  if [ "$result" = 2 ] && set_aside "$file"; then continue; fi
  waiting=$((waiting + 1))
done <"$list"

damaged=0
[ ! -d "$data_dir/damaged" ] || damaged=$(find "$data_dir/damaged" -type f | wc -l)
rm -rf "$work" "$list"
printf '%s %s %s\n' "$(date +%s)" "$waiting" "$((damaged))" >"$state/sealed.new"
mv -fT "$state/sealed.new" "$state/sealed"
