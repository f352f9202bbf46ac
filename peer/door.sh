# A door for a prune: a second rest-server beside fort-offsite's own on this machine, which lets
# files be removed, for a short time and at the loopback address alone.
#
# It arrives as one line on standard input, below a block of variables that peer/door.ts writes:
#   mode, project, data_dir, uid, hosts, limit, patience, port
# It prints no secret and knows none: the door's passwords go past it, from standard input into the
# container's memory.
#
# The door is closed by whatever comes first:
#   - standard input ends: the command is done, was killed, or its connection is gone. The
#     container itself reads it, so that this holds too when this script or Docker's client is killed;
#   - no line arrives there for $patience seconds: the connection is half dead, the command hangs;
#   - $limit seconds have passed, counted inside the container;
#   - this machine or its engine is started again: there is no restart policy.

set -eu
umask 077
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"

server=$data_dir/server
repositories=$data_dir/repositories

# What breaks the connection must not end the closing at the next line that is printed.
trap '' PIPE
say() { printf '%s\n' "$*" || :; }
die() {
  say "$*" >&2
  exit 1
}

doors() { docker ps --all --quiet --no-trunc --filter "label=fort-offsite.door=$project"; }

listens() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v port=":$(printf '%04X' "$1")" '
      $4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
      END { exit !found }'
}

# The server that runs here is this stack's, and refuses removals itself.
find_main() {
  [ "$(id -u)" -eq 0 ] || die 'user: is not root. Let targets.<name>.ssh.user be root, or a user who may use sudo without a password'
  for tool in awk base64 docker find flock stat; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool: is not installed on the peer"
  done
  [ "$(cat "$server/project" 2>/dev/null)" = "$project" ] ||
    die "dataDir: $data_dir is not the directory of the server $project. Install it first with: pulumi up"
  main=$(docker ps --quiet --no-trunc \
    --filter "label=com.docker.compose.project=$project" \
    --filter label=com.docker.compose.service=rest-server | head -n 1) ||
    die "docker: its engine does not answer on the peer"
  [ -n "$main" ] || die "the server $project does not run on the peer. Start it first with: pulumi up"
  source=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Source}}{{end}}{{end}}' "$main")
  [ "$source" = "$repositories" ] ||
    die "the server $project keeps its repositories in another directory than $repositories. Repair it first with: pulumi up"
  case $(docker inspect --format '{{json .Config.Cmd}}' "$main") in
  *'"--append-only"'*) ;;
  *) die "the server $project runs without --append-only: whoever has a host's credential can remove its backups. Repair it first with: pulumi up" ;;
  esac
  image=$(docker inspect --format '{{.Image}}' "$main")
}

# One door at a time. On the directory itself: nothing has to be made on a full disk.
lock() {
  exec 8<"$server"
  flock "$@" 8
}

remove_doors() {
  for id in $(doors); do
    docker rm --force "$id" >/dev/null 2>&1 || :
    say "swept ${id%"${id#????????????}"}"
  done
}

# What the listings of a rest-server do not say: when each snapshot arrived, by this machine's clock.
look() {
  find_main
  if lock -n; then remove_doors; else say busy; fi
  say "now $(date +%s)"
  for host in $hosts; do
    for kind in snapshots locks; do
      [ -d "$repositories/$host/$kind" ] || continue
      find "$repositories/$host/$kind" -type f -exec stat -c "$kind $host %Y %n" {} + 2>/dev/null || :
    done
  done
  say looked
}

# Runs as the container's first process, which ends with it: the kernel then ends the rest.
# shellcheck disable=SC2016
first='timeout -s KILL "$limit" /bin/sh -c "$body" door "$@"; :'
# shellcheck disable=SC2016
body='umask 077
while IFS= read -r line && [ "$line" != . ]; do printf "%s\n" "$line"; done >/run/door/htpasswd
[ "$line" = . ] || exit 1
/usr/bin/rest-server "$@" &
server=$!
export server
while kill -0 "$server" && timeout -s KILL "$patience" /bin/sh -c "IFS= read -r line"; do :; done'

run_door() {
  docker run --interactive --rm --restart=no --pull=never --name "$project-door" \
    --label "fort-offsite.door=$project" --label "fort-offsite.door.until=$until" \
    --network=host --user "$uid:$uid" --read-only --cap-drop=ALL \
    --security-opt=no-new-privileges:true --memory=512m --pids-limit=256 --log-driver=none \
    --tmpfs "/run/door:size=1m,mode=0700,uid=$uid,gid=$uid" \
    --mount "type=bind,source=$repositories,target=/data" \
    --env "limit=$limit" --env "patience=$patience" --env "body=$body" \
    --entrypoint /bin/sh "$image" -c "$first" door \
    --path=/data --htpasswd-file=/run/door/htpasswd "--listen=127.0.0.1:$port" --private-repos
}

choose_port() {
  while :; do
    port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
    listens "$port" || return 0
  done
}

open() {
  find_main
  lock -n || die "another prune is at work on the peer, or ended just now. Wait for it, or close its door with --close"
  remove_doors >/dev/null
  choose_port
  until=$(($(date +%s) + limit))
  trap 'shut || :; exit 1' HUP INT TERM
  trap 'shut || :' EXIT
  exec 3<&0
  # The client gets standard input as it is, and does not keep the lock.
  run_door <&3 3<&- 8<&- >&2 &
  run=$!
  exec 3<&- </dev/null
  tries=0
  until listens "$port"; do
    tries=$((tries + 1))
    if ! kill -0 "$run" 2>/dev/null || [ "$tries" -gt 200 ]; then die 'the door did not open'; fi
    sleep 0.2
  done
  say "open $port $until"
  wait "$run" || :
  trap - EXIT
  shut
}

# Removes the door and proves it: no container of its name or label, nobody at its port.
shut() {
  trap '' HUP INT TERM
  trap - EXIT
  tries=0
  while [ "$tries" -lt 20 ]; do
    if ids=$(doors 2>/dev/null); then
      # shellcheck disable=SC2086
      [ -z "$ids" ] || docker rm --force $ids >/dev/null 2>&1 || :
      if ids=$(doors 2>/dev/null) && [ -z "$ids" ] && { [ "$port" -eq 0 ] || ! listens "$port"; }; then
        say closed
        return 0
      fi
    fi
    tries=$((tries + 1))
    sleep 0.5
  done
  say "the door at port $port is still there" >&2
  return 1
}

# For another connection, when the door's own has broken.
check() {
  [ -d "$server" ] || die "dataDir: there is no $server on the peer"
  lock -w 60 || die 'another prune is at work on the peer'
  shut
}

case $mode in
look) look ;;
open) open ;;
check) check ;;
*) die "got \"$mode\", must be look, open or check" ;;
esac
