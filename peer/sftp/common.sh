# What the scripts for an SFTP directory share. It comes below the variables that peer/sftp/script.ts
# writes: project, data_dir, hub_user, hub_group, host_group, users (a line each: user, host or "-",
# and the public key that is let in), max_size_kib, dropin_b64, seal_b64.

set -eu
umask 022
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

state=$data_dir/sftp
repositories=$data_dir/repositories
mark="fort-offsite $project"

# A connection that breaks must not end a roll-back at the next line that is printed.
trap '' PIPE
say() { printf '%s\n' "$*" || :; }
die() {
  say "fort-offsite: $*" >&2
  exit 1
}

# A disk that /etc/fstab has for the data, and that is not mounted: what is there now is not the data.
unmounted() {
  awk '$1 !~ /^#/ && $2 ~ /^\/./ { print $2 }' /etc/fstab 2>/dev/null | while read -r point; do
    case $repositories/ in
    "$point"/*) grep -qF " $point " /proc/mounts || say "$point" ;;
    esac
  done
}

parent_of() { awk '/^PPid:/ { print $2 }' "/proc/$1/status" 2>/dev/null; }
title_of() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null; }

# The sshd through which this script came in: the topmost among its ancestors.
#   sshd, sshd_config, listener (empty where each connection has a process of its own, as with
#   socket activation: that one reads the configuration anew), local_address, local_port
find_sshd() {
  sshd='' listener='' sshd_config='' local_address='' local_port=''
  pid=$$ top=''
  while [ -n "$pid" ] && [ "$pid" -gt 0 ]; do
    exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || exe=''
    exe=${exe% (deleted)}
    case ${exe##*/} in
    sshd) top=$pid sshd=$exe ;;
    sshd-session | sshd-auth) top=$pid ;;
    esac
    if [ -z "$local_port" ]; then
      connection=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p' | head -n 1) || connection=''
      if [ -n "$connection" ]; then
        rest=${connection#* * } local_address=${rest% *} local_port=${rest##* }
      fi
    fi
    pid=$(parent_of "$pid") || pid=''
  done
  [ -n "$top" ] || return 1
  title=$(title_of "$top")
  case $title in
  *'[listener]'*) listener=$top ;;
  sshd:* | sshd-session:* | sshd-auth:*) ;;
  *) listener=$top ;;
  esac
  [ -n "$sshd" ] || sshd=$(command -v sshd) || return 1
  sshd_config=$(say "$title" | sed -n 's/.* -f *\([^ ]*\).*/\1/p')
  [ -n "$sshd_config" ] || sshd_config=/etc/ssh/sshd_config
}

# The folder that the configuration includes in front of every Match block; empty where it has none.
#   include_pattern, dropin_dir
find_dropins() {
  include_pattern=$(awk '
    tolower($1) == "match" { exit }
    tolower($1) == "include" {
      for (i = 2; i <= NF; i++) if ($i ~ /\/\*(\.conf)?"?$/) { gsub(/"/, "", $i); print $i; exit }
    }' "$sshd_config" 2>/dev/null)
  dropin_dir=${include_pattern%/*}
  case $dropin_dir in '' | /*) ;; *) dropin_dir=/etc/ssh/$dropin_dir ;; esac
  dropin=$dropin_dir/10-$project.conf
}

# effective CONFIG USER: what the configuration comes to for a user.
effective() {
  "$sshd" -T -f "$1" -C "user=$2,host=localhost,addr=127.0.0.1,laddr=${local_address:-127.0.0.1},lport=${local_port:-22}" 2>/dev/null
}

# confines CONFIG: says what of our settings is not in force for our users, a line each.
confines() {
  say "$users" | awk 'NF && !seen[$2 == "-"]++ { print $1, $2 }' | while read -r user host; do
    place=$repositories/$host command='internal-sftp -R'
    [ "$host" != - ] || { place=$repositories command='internal-sftp -P symlink,hardlink -u 022'; }
    found=$(effective "$1" "$user") || found=''
    for line in "chrootdirectory $place" "forcecommand $command" "authorizedkeysfile $state/keys/%u" \
      'authenticationmethods publickey' 'pubkeyauthentication yes' 'allowtcpforwarding no' \
      'allowstreamlocalforwarding no' 'allowagentforwarding no' 'permittunnel no' 'permittty no'; do
      say "$found" | grep -qixF "$line" || say "${line%% *}"
    done
  done | sort -u
}

# How a task is had done every few minutes here: systemd, cron, busybox, or empty.
find_schedule() {
  crontabs=${OFFSITE_CRONTABS-}
  if [ -n "$crontabs" ] && [ -d "$crontabs" ]; then
    schedule=busybox
  elif [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then
    schedule=systemd
  elif [ -d /etc/cron.d ] && runs cron crond; then
    schedule=cron
  else
    schedule=''
    for crontabs in /etc/crontabs /var/spool/cron/crontabs; do
      if [ -d "$crontabs" ] && runs crond; then schedule=busybox && break; fi
    done
  fi
}

# runs NAME...: whether a process of one of these names runs.
runs() {
  for name in "$@"; do
    cat /proc/[0-9]*/comm 2>/dev/null | grep -qxF "$name" && return 0
  done
  return 1
}

# The line or file that has the sealing done, as it is now.
schedule_now() {
  case $schedule in
  systemd) cat "/etc/systemd/system/$project-seal.timer" "/etc/systemd/system/$project-seal.service" 2>/dev/null ;;
  cron) cat "/etc/cron.d/$project" 2>/dev/null ;;
  busybox) grep -F "# $mark" "$crontabs/root" 2>/dev/null ;;
  esac
}

is_scheduled() {
  [ -n "$(schedule_now)" ] || return 1
  [ "$schedule" != systemd ] || systemctl --quiet is-active "$project-seal.timer"
}

sha256() { [ ! -f "$1" ] || sha256sum <"$1" | cut -d ' ' -f 1; }

# Our own users on this machine, a line each.
own_users() { getent passwd | awk -F: -v mark="$mark" '$5 == mark { print $1 }'; }

# What was put in place, a line each.
footprint() {
  printf 'the settings for sshd %s\n' "$(sha256 "$dropin")"
  printf 'the sealing script %s\n' "$(sha256 "$state/seal.sh")"
  printf 'the schedule of the sealing %s\n' "$(schedule_now | sha256sum | cut -d ' ' -f 1)"
  say "$users" | while read -r user _; do
    [ -n "$user" ] || continue
    printf 'the key of %s %s\n' "$user" "$(sha256 "$state/keys/$user")"
    printf 'the account %s %s\n' "$user" "$(getent passwd "$user" | sha256sum | cut -d ' ' -f 1)"
  done
  printf 'the owner and mode of the folders %s\n' "$(folders | sha256sum | cut -d ' ' -f 1)"
}

# The folders whose owner and mode keep what is sealed, a line each.
folders() {
  find "$data_dir" "$state/keys" -maxdepth 0 -type d -exec stat -c '%u %g %a %n' {} + 2>/dev/null
  find "$repositories" -maxdepth 4 -type d -uid 0 ! -name .sealing -exec stat -c '%u %g %a %n' {} + 2>/dev/null | LC_ALL=C sort
}
