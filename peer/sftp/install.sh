# Lets hub and hosts into a directory of this machine by SFTP, and nowhere else, in one transaction:
# whatever happens, afterwards either the new settings are in force or the ones before are.
#
# It arrives on standard input, below the variables that peer/sftp/script.ts writes, and common.sh.
#
#   $data_dir/repositories            the hub's chroot. Nothing here ever removes anything in it.
#     <host>/                         the host's chroot, root's
#     <host>/repository/              the repository. Its folders are root's and sticky: the hub's
#                                     user adds files, and removes none that the sealing made root's
#     _hosts/<host>                   a link to it: how the hub sees all of them side by side
#   $data_dir/sftp                    keys/<user>, seal.sh, footprint, sealed: the release in force;
#                                     project: whose it is, without which nothing here is touched
#   $data_dir/sftp/previous           the release before, while `pending` marks a change under way
#   $data_dir/sftp/next               the release being put together

hexadecimal='0 1 2 3 4 5 6 7 8 9 a b c d e f'
canary=offsite-canary

# The directory itself, or the nearest one above it that exists.
existing_parent() {
  parent=$1
  while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
  say "$parent"
}

check_owner() {
  owner=$(cat "$state/project" 2>/dev/null) || owner=
  if [ "$owner" = "$project" ]; then
    return 0
  elif [ -n "$owner" ]; then
    problem "dataDir: $data_dir belongs to the target $owner. If that one was renamed, take it out of the config, run pulumi up, and add it under its new name: the data stays. Otherwise choose another targets.<name>.dataDir"
  elif [ -n "$(ls -A "$state" 2>/dev/null | grep -vx -e lock -e 'mark\..*')" ]; then
    problem "dataDir: $state has files that are not fort-offsite's. Choose another targets.<name>.dataDir"
  elif [ -n "$(ls -A "$repositories" 2>/dev/null)" ] && [ ! -d "$repositories/_hosts" ]; then
    problem "dataDir: $repositories has files that no SFTP target made. Choose another targets.<name>.dataDir"
  fi
}

# sshd gives nobody a chroot that somebody else could change.
check_path() {
  point=$(unmounted)
  if [ -n "$point" ] && [ ! -e "$state" ]; then
    problem "dataDir: /etc/fstab has a disk for $point, which is not mounted. Mount it: the backups may be on it"
  fi
  path=''
  for part in $(say "$repositories" | tr / ' '); do
    path=$path/$part
    [ -e "$path" ] || [ -L "$path" ] || break
    if [ -L "$path" ]; then
      problem "dataDir: $path is a link. Give its real path as targets.<name>.dataDir"
    elif [ ! -d "$path" ]; then
      problem "dataDir: $path is no directory. Choose another targets.<name>.dataDir"
    else
      case $(stat -c '%u %A' "$path") in
      0\ d????-??-?*) ;;
      *) problem "dataDir: $path must be root's, and nobody else may write to it (sshd lets nobody into a chroot otherwise). Choose another targets.<name>.dataDir, such as /srv/fort-offsite" ;;
      esac
    fi
  done
}

# The peer's owner may have filled the disk since the limit was set: what runs there may go on.
check_disk() {
  free_kib=$(df -Pk "$(existing_parent "$repositories")" | awk 'NR == 2 { print $4 }')
  used_kib=0
  [ ! -d "$repositories" ] || used_kib=$(du -sk "$repositories/" | awk '{ print $1 }')
  [ $((free_kib + used_kib)) -lt "$max_size_kib" ] || return 0
  lack="disk: $data_dir has room for $(((free_kib + used_kib) / 1048576)) GiB, and maxSizeGiB asks for $(((max_size_kib + 1048575) / 1048576)). Free some space, or lower targets.<name>.maxSizeGiB"
  if [ "$(cat "$state/max_size_kib" 2>/dev/null)" = "$max_size_kib" ]; then say "$lack"; else problem "$lack"; fi
}

# Nobody who was here before becomes one of ours.
check_users() {
  while read -r user _; do
    [ -n "$user" ] || continue
    entry=$(getent passwd "$user") || continue
    comment=$(say "$entry" | cut -d : -f 5)
    [ "$comment" = "$mark" ] ||
      problem "user: $user exists on this machine and is not fort-offsite's ($project). Rename or remove it, or give the target another name"
  done <<USERS
$users
USERS
  for group in "$hub_group" "$host_group"; do
    if getent group "$group" >/dev/null && [ "$(cat "$state/project" 2>/dev/null)" != "$project" ] && [ -z "$(own_users)" ]; then
      problem "group: $group exists on this machine and is not fort-offsite's. Rename or remove it, or give the target another name"
    fi
  done
}

# candidate FOLDER: the whole configuration as it will be, with our settings among the others, as
# FOLDER/sshd_config.
candidate() {
  mkdir "$1/d"
  for file in "$dropin_dir"/*.conf; do
    [ ! -e "$file" ] || [ "$file" = "$dropin" ] || cp "$file" "$1/d/"
  done
  printf '%s' "$dropin_b64" | base64 -d >"$1/d/${dropin##*/}"
  awk -v from="$include_pattern" -v to="$1/d/*.conf" '
    tolower($1) == "include" && !done {
      for (i = 2; i <= NF; i++) { word = $i; gsub(/"/, "", word); if (word == from) { $i = to; done = 1 } }
    }
    { print }' "$sshd_config" >"$1/sshd_config"
}

check_sshd() {
  if ! find_sshd; then
    problem 'sshd: this connection does not come through an OpenSSH server, whose settings an SFTP target needs. Let targets.<name>.ssh be the OpenSSH server of the machine'
    return 0
  fi
  if ! complaint=$("$sshd" -t -f "$sshd_config" 2>&1); then
    problem "sshd: its settings are wrong as they are, so that it would not start again. Repair $sshd_config ($(say "$complaint" | tail -n 1))"
    return 0
  fi
  find_dropins
  if [ -z "$dropin_dir" ]; then
    problem "sshd: $sshd_config reads no folder of settings. Add as its first line: Include /etc/ssh/sshd_config.d/*.conf"
    return 0
  fi
  [ -d "$dropin_dir" ] || { problem "sshd: $sshd_config names $dropin_dir, which is not there. Make it: mkdir $dropin_dir" && return 0; }
  scratch=$(mktemp -d)
  candidate "$scratch"
  if ! complaint=$("$sshd" -t -f "$scratch/sshd_config" 2>&1); then
    problem "sshd: does not take the settings of an SFTP target. OpenSSH 8.2 or newer is needed ($(say "$complaint" | tail -n 1))"
  else
    lacking=$(confines "$scratch/sshd_config")
    [ -z "$lacking" ] ||
      problem "sshd: another Match block of $sshd_config or $dropin_dir decides for these users before ours does ($(say "$lacking" | tr '\n' ' ' | sed 's/ $//')). Let it leave out the users $hub_user and ${hub_user%_hub}-*"
    check_let_in
  fi
  rm -rf "$scratch"
}

# Who may log in at all is the machine's owner's to say.
check_let_in() {
  found=$(effective "$scratch/sshd_config" "$hub_user") || found=''
  for kind in allowusers allowgroups denyusers denygroups; do
    names=$(say "$found" | awk -v kind="$kind" '$1 == kind { for (i = 2; i <= NF; i++) print $i }')
    [ -n "$names" ] || continue
    case $kind in
    allowusers) say "$names" | grep -qxF "${hub_user%_hub}*" || problem "sshd: AllowUsers lets in others alone. Add to it in $sshd_config: ${hub_user%_hub}*" ;;
    allowgroups) say "$names" | grep -qxF "${hub_user%_hub}*" || problem "sshd: AllowGroups lets in others alone. Add to it in $sshd_config: ${hub_user%_hub}*" ;;
    deny*) ! say "$names" | grep -qxF -e '*' -e "${hub_user%_hub}*" || problem "sshd: ${kind} shuts these users out. Let it in $sshd_config leave out ${hub_user%_hub}*" ;;
    esac
  done
}

# Everything that is missing, at once, before anything is touched.
preflight() {
  problems=
  problem() { problems="$problems
  $*"; }
  for tool in awk base64 cmp cut df du find flock getent grep groupadd mktemp mv sed sha256sum sort stat sync timeout tr useradd usermod userdel; do
    command -v "$tool" >/dev/null 2>&1 || problem "$tool: is not installed"
  done
  command -v ssh-keyscan >/dev/null 2>&1 || problem 'ssh-keyscan: is not installed. Install it with: apt-get install openssh-client'
  if [ "$(id -u)" -ne 0 ]; then
    problem 'user: is not root. Let targets.<name>.ssh.user be root, or a user who may use sudo without a password'
  else
    check_owner
    check_path
    check_disk
    check_users
    check_sshd
    find_schedule
    [ -n "$schedule" ] ||
      problem 'cron: neither systemd nor a cron runs here, with which what arrives is sealed every five minutes. Install one: apt-get install cron'
  fi
  [ -z "$problems" ] || die "this machine is not ready, nothing was changed:$problems"
}

claim() {
  mkdir -p "$state"
  [ "$(cat "$state/project" 2>/dev/null)" != "$project" ] || return 0
  made=$(mktemp "$state/mark.XXXXXX")
  printf '%s' "$project" >"$made"
  mv -fT "$made" "$state/project"
}

# One transaction at a time on this machine and target.
lock() {
  exec 9>"$state/lock"
  flock -w 120 9 || die 'another installation has been running for two minutes, nothing was changed'
}

# put FROM TO MODE: a whole file or none, on disk before it is seen. Until then it has a name that no
# pattern of sshd's or cron's finds.
put() {
  put_new=${2%/*}/.${2##*/}.new
  cp "$1" "$put_new"
  chmod "$3" "$put_new"
  sync -f "$put_new" 2>/dev/null || sync
  mv -fT "$put_new" "$2"
}

stage() {
  rm -rf "$state/next"
  mkdir -p "$state/next/keys" "$state/keys"
  printf '%s' "$dropin_b64" | base64 -d >"$state/next/dropin"
  printf '%s' "$seal_b64" | base64 -d >"$state/next/seal.sh"
  while read -r user _ key; do
    [ -z "$user" ] || printf 'restrict %s %s\n' "$key" "$user" >"$state/next/keys/$user"
  done <<USERS
$users
USERS
}

# System users without a password, a shell or a home.
make_users() {
  for group in "$hub_group" "$host_group"; do
    getent group "$group" >/dev/null || groupadd --system "$group"
  done
  shell=$(command -v nologin) || shell=/bin/false
  while read -r user host _; do
    [ -n "$user" ] || continue
    group=$host_group
    [ "$host" != - ] || group=$hub_group
    if ! getent passwd "$user" >/dev/null; then
      useradd --system --no-create-home --home-dir /nonexistent --shell "$shell" --gid "$group" \
        --comment "$mark" --password '*' "$user"
    elif [ "$(getent passwd "$user" | cut -d : -f 4,6,7)" != "$(getent group "$group" | cut -d : -f 3):/nonexistent:$shell" ]; then
      end_sessions "$user"
      usermod --home /nonexistent --shell "$shell" --gid "$group" "$user"
    fi
  done <<USERS
$users
USERS
}

# sticky FOLDER...: root's, where the hub's user may add files and remove none of root's.
sticky() {
  mkdir -p "$@"
  chown -h 0:"$hub_group" "$@"
  chmod 1775 "$@"
}

make_folders() {
  mkdir -p "$data_dir" "$repositories/_hosts"
  chmod 0755 "$data_dir" "$repositories/_hosts"
  chown -h "0:$hub_group" "$repositories"
  chown 0:0 "$data_dir" "$repositories/_hosts"
  chmod 0750 "$repositories"
  for host in $(say "$users" | awk 'NF && $2 != "-" { print $2 }') "$canary"; do
    home=$repositories/$host repository=$repositories/$host/repository
    for folder in "$home" "$repository" "$repository/data"; do
      if [ -L "$folder" ] || { [ -e "$folder" ] && [ ! -d "$folder" ]; }; then die "$folder is no directory. Move it away"; fi
    done
    mkdir -p "$home"
    chown 0:0 "$home"
    chmod 0755 "$home"
    sticky "$repository" "$repository/data"
    set --
    for kind in keys index snapshots locks; do set -- "$@" "$repository/$kind"; done
    for a in $hexadecimal; do for b in $hexadecimal; do set -- "$@" "$repository/data/$a$b"; done; done
    for folder in "$@"; do [ ! -L "$folder" ] || die "$folder is a link. Move it away"; done
    sticky "$@"
    # What was left by a user who had another number before.
    find "$repository" -xdev -mindepth 1 ! -uid 0 ! -user "$hub_user" -exec chown -h "$hub_user:$hub_group" {} +
    [ "$(readlink "$repositories/_hosts/$host")" = "../$host/repository" ] ||
      ln -sfn "../$host/repository" "$repositories/_hosts/$host"
  done
}

# A limit on the group's files, which the sealing leaves in the group, where the filesystem keeps one.
set_quota() {
  point=$(df -Pk "$repositories" | awk 'NR == 2 { print $6 }')
  quota='no quota: the hub keeps to maxSizeGiB by itself, and a thief there would not'
  if command -v setquota >/dev/null 2>&1 &&
    awk -v point="$point" '$2 == point { print $4 }' /proc/mounts | grep -Eq '(^|,)(grpquota|gquota|grpjquota=[^,]*)(,|$)' &&
    setquota -g "$hub_group" 0 "$max_size_kib" 0 0 "$point" 2>/dev/null; then
    quota='a quota of the filesystem keeps it to maxSizeGiB'
  fi
  printf '%s\n' "$quota" >"$state/quota"
}

# The release before, complete, before anything of it is touched.
remember() {
  rm -rf "$state/previous"
  mkdir "$state/previous"
  cp -R "$state/keys" "$state/previous/keys"
  [ ! -f "$dropin" ] || cp "$dropin" "$state/previous/dropin"
  [ ! -f "$state/seal.sh" ] || cp "$state/seal.sh" "$state/previous/seal.sh"
  sync
  : >"$state/pending"
}

# Old sessions outlive their key: those of a user end.
end_sessions() {
  number=$(id -u "$1" 2>/dev/null) || return 0
  for process in /proc/[0-9]*; do
    awk -v want="$number" '/^Uid:/ { exit $2 != want }' "$process/status" 2>/dev/null || continue
    grep -q '^Uid:' "$process/status" 2>/dev/null && kill -KILL "${process#/proc/}" 2>/dev/null || :
  done
}

put_keys() {
  for file in "$1"/keys/*; do
    [ -f "$file" ] || continue
    user=${file##*/}
    if ! cmp -s "$file" "$state/keys/$user"; then
      put "$file" "$state/keys/$user" 0644
      end_sessions "$user"
    fi
  done
  for file in "$state"/keys/*; do
    [ ! -e "$file" ] || [ -e "$1/keys/${file##*/}" ] || { rm -rf "$file" && end_sessions "${file##*/}"; }
  done
}

# put_dropin FROM: the settings for sshd; none where there is no such file. Unchanged ones are left.
put_dropin() {
  if [ ! -f "$1" ]; then
    [ ! -e "$dropin" ] || { rm -f "$dropin" && reload; }
  elif ! cmp -s "$1" "$dropin" || [ "$(cat "$state/loaded" 2>/dev/null)" != "$(sha256 "$1")" ]; then
    put "$1" "$dropin" 0644
    rm -f "$state/loaded"
    "$sshd" -t -f "$sshd_config" && reload && printf '%s' "$(sha256 "$dropin")" >"$state/loaded"
  fi
}

answers() { [ -n "$(timeout 5 ssh-keyscan -T 3 -p "${local_port:-22}" "${local_address:-127.0.0.1}" 2>/dev/null)" ]; }

# Has sshd read its settings again, and waits until it answers. Running connections stay.
reload() {
  [ -z "$listener" ] || kill -HUP "$listener" || return 1
  tries=0
  until answers; do
    tries=$((tries + 1))
    [ "$tries" -lt 10 ] || { say 'sshd does not answer after it was told to read its settings again' >&2 && return 1; }
    sleep 0.5
  done
}

# A dead sshd is started again, as it was.
revive() {
  answers && return 0
  [ -n "$listener" ] && [ -d "/proc/$listener" ] && return 0
  if [ -d /run/systemd/system ]; then
    systemctl restart ssh 2>/dev/null || systemctl restart sshd 2>/dev/null || :
  else
    # shellcheck disable=SC2046
    setsid $(say "$title" | sed 's/^sshd: //; s/ *\[listener\].*//') </dev/null >/dev/null 2>&1 9>&- &
  fi
}

put_schedule() {
  case $schedule in
  systemd)
    printf '[Unit]\nDescription=%s: seals what has arrived\n[Service]\nType=oneshot\nNice=19\nIOSchedulingClass=idle\nExecStart=/bin/sh %s\n' \
      "$mark" "$state/seal.sh" >"$state/next/service"
    printf '[Unit]\nDescription=%s: seals what has arrived, every five minutes\n[Timer]\nOnBootSec=1min\nOnUnitInactiveSec=5min\nAccuracySec=15s\n[Install]\nWantedBy=timers.target\n' \
      "$mark" >"$state/next/timer"
    put "$state/next/service" "/etc/systemd/system/$project-seal.service" 0644
    put "$state/next/timer" "/etc/systemd/system/$project-seal.timer" 0644
    systemctl daemon-reload
    systemctl --quiet enable "$project-seal.timer"
    systemctl restart "$project-seal.timer"
    ;;
  cron)
    printf '# %s\n*/5 * * * * root nice -n 19 /bin/sh %s\n' "$mark" "$state/seal.sh" >"$state/next/cron"
    put "$state/next/cron" "/etc/cron.d/$project" 0644
    ;;
  busybox)
    {
      [ ! -f "$crontabs/root" ] || grep -vF "# $mark" "$crontabs/root" || :
      printf '*/5 * * * * nice -n 19 /bin/sh %s # %s\n' "$state/seal.sh" "$mark"
    } >"$state/next/cron"
    put "$state/next/cron" "$crontabs/root" 0600
    printf 'root\n' >"$crontabs/cron.update"
    ;;
  esac
}

drop_schedule() {
  if [ -f "/etc/systemd/system/$project-seal.timer" ]; then
    systemctl --quiet disable --now "$project-seal.timer" 2>/dev/null || :
    rm -f "/etc/systemd/system/$project-seal.timer" "/etc/systemd/system/$project-seal.service"
    systemctl daemon-reload 2>/dev/null || :
  fi
  rm -f "/etc/cron.d/$project"
  if [ -n "$crontabs" ] && grep -qF "# $mark" "$crontabs/root" 2>/dev/null; then
    grep -vF "# $mark" "$crontabs/root" >"$state/crontab" || :
    cat "$state/crontab" >"$crontabs/root"
    printf 'root\n' >"$crontabs/cron.update"
  fi
}

# Puts the release before back, or nothing where there was none. It can be killed anywhere and be
# done again: `previous` stays as it is, and `pending` goes last.
roll_back() {
  trap '' HUP INT TERM
  put_dropin "$state/previous/dropin" || say 'The settings for sshd could not be put back whole' >&2
  revive
  put_keys "$state/previous"
  if [ -f "$state/previous/seal.sh" ]; then
    put "$state/previous/seal.sh" "$state/seal.sh" 0700
    say 'The previous release is back' >&2
  else
    drop_schedule
    say 'There was no release before, so nobody is let in now' >&2
  fi
  footprint >"$state/footprint" 2>/dev/null || rm -f "$state/footprint"
  rm -f "$state/pending"
}

fail() {
  trap - EXIT
  set +e
  say "The installation failed: $1" >&2
  roll_back
  exit 1
}

# Users of hosts that have left, and of nobody else: their mark is checked again at each.
drop_users() {
  for user in $(own_users); do
    say "$users" | awk '{ print $1 }' | grep -qxF "$user" && continue
    end_sessions "$user"
    userdel "$user" 2>/dev/null || say "The user $user could not be removed" >&2
  done
}

note() {
  printf '%s' "$max_size_kib" >"$state/max_size_kib"
  printf '%s\n' "$users" >"$state/users"
  footprint >"$state/footprint.new"
  mv -fT "$state/footprint.new" "$state/footprint"
}

install() {
  preflight
  claim
  lock
  # An installation that was killed half-way left its mark: first back to the release before.
  [ ! -e "$state/pending" ] || { say 'An earlier installation did not end' && roll_back; }
  stage
  before=$(cat "$state/footprint" 2>/dev/null) || before=
  make_users
  make_folders
  set_quota
  chmod 0711 "$state"
  chmod 0755 "$state/keys"
  if [ -n "$before" ] && [ "$before" = "$(footprint)" ] && is_next && is_scheduled &&
    [ "$(cat "$state/loaded" 2>/dev/null)" = "$(sha256 "$dropin")" ]; then
    rm -rf "$state/next"
    drop_users
    say "Nothing to change: $data_dir is as it should be, with $(cat "$state/quota")"
    return 0
  fi
  remember
  trap 'fail "it was interrupted"' HUP INT TERM
  trap 'fail "see above"' EXIT
  put "$state/next/seal.sh" "$state/seal.sh" 0700
  put_schedule
  put_keys "$state/next"
  put_dropin "$state/next/dropin" || fail 'sshd does not take its settings'
  lacking=$(confines "$sshd_config")
  [ -z "$lacking" ] || fail "sshd does not confine these users ($(say "$lacking" | tr '\n' ' '))"
  is_scheduled || fail 'the sealing is not scheduled'
  is_next || fail 'its files could not be written'
  note || fail 'its footprint could not be written'
  rm -f "$state/pending"
  trap - EXIT HUP INT TERM
  rm -rf "$state/next"
  drop_users
  say "Hub and hosts are let into $data_dir by SFTP, with $(cat "$state/quota")"
}

# Whether what was put together is what is in place.
is_next() {
  cmp -s "$state/next/dropin" "$dropin" && cmp -s "$state/next/seal.sh" "$state/seal.sh" || return 1
  for file in "$state"/next/keys/*; do cmp -s "$file" "$state/keys/${file##*/}" || return 1; done
  [ "$(ls "$state/next/keys")" = "$(ls "$state/keys")" ]
}

remove() {
  [ "$(id -u)" -eq 0 ] || die 'the user is not root'
  if [ "$(cat "$state/project" 2>/dev/null)" != "$project" ]; then
    say "Nothing to remove: $data_dir is not this target's"
    return 0
  fi
  find_sshd || die 'this connection does not come through the OpenSSH server of this machine'
  lock
  find_dropins
  find_schedule
  # What has arrived until now is sealed too; what it cannot seal stays as it is.
  [ ! -f "$state/seal.sh" ] || sh "$state/seal.sh" </dev/null >/dev/null 2>&1 || :
  rm -rf "$state/keys"
  for user in $(own_users); do end_sessions "$user"; done
  put_dropin "$state/none" || die "sshd does not take its settings without $dropin. Nobody of hub and hosts is let in any more; look at it with: $sshd -t"
  drop_schedule
  for user in $(own_users); do userdel "$user" 2>/dev/null || die "the user $user could not be removed"; done
  for group in "$hub_group" "$host_group"; do groupdel "$group" 2>/dev/null || :; done
  rm -rf "$state"
  say "Nobody is let in any more. The backups are untouched in $repositories on this machine"
}

case ${1-}:${2-} in
install: | install:repair-*) install </dev/null ;;
remove:) remove </dev/null ;;
check:) preflight </dev/null && say 'ready' ;;
*) die "got \"$*\", must be install, install repair-<name>, check or remove" ;;
esac
