# Installs, changes or removes fort-offsite's rest-server on this machine, in one transaction:
# whatever happens, afterwards either the new release runs or the previous one does.
#
# It arrives on standard input, below a block of variables that peer/script.ts writes:
#   project, data_dir, image, listen_address, listen_ipv6, local_address, port, uid,
#   max_size_kib, compose_b64, htpasswd_b64
# It prints no secret, and takes none from its arguments.
#
#   $data_dir/repositories   the data. Nothing here ever removes it.
#   $data_dir/server         compose.yaml, auth/htpasswd: the release that runs;
#                            project: whose it is, without which nothing here is touched
#   $data_dir/server/previous   the release before, while `pending` marks a change under way
#   $data_dir/server/next    the release being put together

set -eu
umask 077
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"

server=$data_dir/server
repositories=$data_dir/repositories
health_timeout=60

# A connection that breaks must not end a roll-back at the next line that is printed.
trap '' PIPE
say() { printf '%s\n' "$*" || :; }
die() {
  say "fort-offsite: $*" >&2
  exit 1
}

compose() { docker compose --project-name "$project" --file "$server/compose.yaml" "$@"; }

# at_least 2.17.0 v2.5.1 -> fails: versions are compared by their first two numbers.
at_least() {
  want_major=${1%%.*} rest=${1#*.} want_minor=${rest%%.*}
  have=${2#v} have_major=${have%%.*} rest=${have#*.} have_minor=${rest%%[!0-9]*}
  case $have_major$have_minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$have_major" -gt "$want_major" ] ||
    { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

has_address() {
  case $listen_address in
  0.0.0.0 | :: | 127.*) return 0 ;;
  esac
  if [ -n "$listen_ipv6" ]; then
    grep -q "^$listen_ipv6 " /proc/net/if_inet6 2>/dev/null
  else
    awk -v want="$listen_address" '
      $1 == "|--" { seen = $2 }
      /32 host LOCAL/ && seen == want { found = 1 }
      END { exit !found }' /proc/net/fib_trie
  fi
}

# The directory itself, or the nearest one above it that exists.
existing_parent() {
  parent=$1
  while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
  say "$parent"
}

# Says how Docker and compose are had here: Debian has no compose 2 of its own.
case $(. /etc/os-release 2>/dev/null && printf '%s' "${ID-}") in
ubuntu) install_docker='Install both with: apt-get install docker.io docker-compose-v2' ;;
*) install_docker="Install docker-ce and docker-compose-plugin from Docker's own repository, see docs.docker.com/engine/install" ;;
esac

# What is in $data_dir already must be ours: a directory is easily mistyped.
check_owner() {
  if [ -f "$server/project" ]; then
    owner=$(cat "$server/project")
    [ "$owner" = "$project" ] ||
      problem "dataDir: $data_dir belongs to the server $owner. If that one was renamed, take it out of the config, run pulumi up, and add it under its new name: the data stays. Otherwise choose another targets.<name>.dataDir"
  elif [ -n "$(ls -A "$server" 2>/dev/null)" ]; then
    problem "dataDir: $server has files that are not fort-offsite's. Choose another targets.<name>.dataDir"
  elif [ -n "$(ls -A "$repositories" 2>/dev/null)" ] && [ "$(stat -c %u "$repositories/")" != "$uid" ]; then
    problem "dataDir: $repositories has files of another user. Choose another targets.<name>.dataDir, or hand it over with: chown -R $uid:$uid $repositories"
  fi
}

# Everything that is missing, at once, before anything is touched.
preflight() {
  problems=
  problem() { problems="$problems
  $*"; }
  if [ "$(id -u)" -ne 0 ]; then
    problem 'user: is not root. Let targets.<name>.ssh.user be root, or a user who may use sudo without a password'
  fi
  if ! command -v docker >/dev/null 2>&1; then
    problem "docker: is not installed. $install_docker"
  else
    if ! engine=$(docker version --format '{{.Server.Version}}' 2>&1); then
      problem "docker: its engine does not answer. Start it with: systemctl enable --now docker ($engine)"
    elif ! at_least 20.10 "$engine"; then
      problem "docker: the engine is $engine, must be 20.10 or newer"
    fi
    if ! plugin=$(docker compose version --short 2>/dev/null); then
      problem "docker compose: is not installed. $install_docker"
    elif ! at_least 2.17 "$plugin"; then
      problem "docker compose: is $plugin, must be 2.17 or newer"
    fi
  fi
  for tool in awk base64 cmp df du flock grep sync; do
    command -v "$tool" >/dev/null 2>&1 || problem "$tool: is not installed"
  done
  check_owner
  if ! has_address; then
    problem "listen: this machine has no address $listen_address. Bring the tunnel up, or correct targets.<name>.listen"
  fi
  free_kib=$(df -Pk "$(existing_parent "$repositories")" | awk 'NR == 2 { print $4 }')
  used_kib=0
  [ ! -d "$repositories" ] || used_kib=$(du -sk "$repositories/" | awk '{ print $1 }')
  if [ $((free_kib + used_kib)) -lt "$max_size_kib" ]; then
    problem "disk: $data_dir has room for $(((free_kib + used_kib) / 1048576)) GiB, and maxSizeGiB asks for $(((max_size_kib + 1048575) / 1048576)). Free some space, or lower targets.<name>.maxSizeGiB"
  fi
  [ -z "$problems" ] || die "this machine is not ready, nothing was changed:$problems"
}

# Marks the directory as this server's, as a whole or not at all: without the mark the next
# installation would take its own beginnings for somebody else's.
claim() {
  [ -d "$data_dir" ] || (umask 022 && mkdir -p "$data_dir")
  mkdir -p "$server"
  [ ! -f "$server/project" ] || return 0
  mark=$(mktemp "$data_dir/.fort-offsite.XXXXXX")
  printf '%s' "$project" >"$mark"
  mv -f "$mark" "$server/project"
}

# One transaction at a time on this machine and target.
lock() {
  exec 9>"$server/lock"
  flock -w 120 9 || die "another installation has been running for two minutes, nothing was changed"
}

# put FROM TO: a whole file or none, on disk before it is seen.
put() {
  cp -p "$1" "$2.new"
  sync -f "$2.new" 2>/dev/null || sync
  mv -f "$2.new" "$2"
}

# What the container reads belongs to it; what it may not read stays root's.
own() {
  chown "$uid:$uid" "$server/auth" "$server/auth/htpasswd"
  chmod 0500 "$server/auth"
  chmod 0400 "$server/auth/htpasswd"
  chmod 0600 "$server/compose.yaml"
  chmod 0711 "$server"
}

stage() {
  rm -rf "$server/next"
  mkdir -p "$server/next" "$server/auth"
  printf '%s' "$compose_b64" | base64 -d >"$server/next/compose.yaml"
  printf '%s' "$htpasswd_b64" | base64 -d >"$server/next/htpasswd"
  docker compose --project-name "$project" --file "$server/next/compose.yaml" config --quiet ||
    die 'the compose file does not suit this version of docker compose, nothing was changed'
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    say "Pulling $image"
    docker pull --quiet "$image" >/dev/null ||
      die "the image $image can be neither found nor pulled, nothing was changed"
  fi
}

make_repositories() {
  mkdir -p "$repositories"
  # Its content is the server's own already: preflight sees to it.
  chown "$uid:$uid" "$repositories/"
  chmod 0700 "$repositories/"
}

remember() {
  rm -rf "$server/previous"
  mkdir "$server/previous"
  if [ -f "$server/compose.yaml" ] && [ -f "$server/auth/htpasswd" ]; then
    put "$server/compose.yaml" "$server/previous/compose.yaml"
    put "$server/auth/htpasswd" "$server/previous/htpasswd"
  fi
  sync
  : >"$server/pending"
}

container() { compose ps --quiet --all rest-server 2>/dev/null | head -n 1; }

is_healthy() {
  id=$(container)
  [ -n "$id" ] && [ "$(docker inspect --format '{{.State.Health.Status}}' "$id" 2>/dev/null)" = healthy ]
}

start() {
  compose up --detach --wait --wait-timeout "$health_timeout" --remove-orphans --quiet-pull \
    </dev/null >"$server/compose.log" 2>&1 && return 0
  sed 's/^/  /' "$server/compose.log" >&2
  return 1
}

# Sends a request without a body and prints the status code.
#   request METHOD PATH [AUTHORIZATION]
request() {
  printf '%s %s HTTP/1.0\r\n%s\r\n' "$1" "$2" "${3:+Authorization: $3
}" | docker exec -i "$(container)" nc -w 5 "$local_address" "$port" | awk 'NR == 1 { print $2 }'
}

# What must be refused is refused: nobody's request, and a stranger's.
prove() {
  stranger="Basic $(printf 'nobody:%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" | base64 | tr -d '\n')"
  for check in 'GET / ' 'GET /config ' 'DELETE /config ' "GET /config $stranger" "POST /?create=true $stranger"; do
    method=${check%% *} rest=${check#* } path=${rest%% *} authorization=${rest#* }
    code=$(request "$method" "$path" "$authorization") || code=none
    if [ "$code" != 401 ]; then
      say "The server answered ${code:-nothing} to $method $path from a stranger, must be 401" >&2
      return 1
    fi
  done
}

# A changed htpasswd alone is taken over by the running server, without a restart. The signal is
# sent inside the container: one that Docker sends counts as a stop by hand, after which the restart
# policy no longer starts the container again (moby issue 41302).
reload() {
  since=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
  docker exec "$(container)" /bin/sh -c 'kill -HUP 1' || return 1
  tries=0
  while [ "$tries" -lt 50 ]; do
    log=$(docker logs --since "$since" "$(container)" 2>&1)
    case $log in
    *'Reloaded htpasswd file'*) return 0 ;;
    *'Could not reload htpasswd file'*) break ;;
    esac
    tries=$((tries + 1))
    sleep 0.2
  done
  say 'The server did not take the new htpasswd file over' >&2
  return 1
}

show_log() {
  id=$(container)
  [ -n "$id" ] || return 0
  say "The container's last lines:" >&2
  docker logs --tail 20 "$id" 2>&1 | sed 's/^/  /' >&2
}

# Puts the release before back, or nothing where there was none. It can be killed anywhere and be
# done again: `previous` stays as it is, and `pending` goes last.
roll_back() {
  trap '' HUP INT TERM
  if [ -f "$server/previous/compose.yaml" ]; then
    # Links and renames need no space on a full disk.
    put_back "$server/previous/htpasswd" "$server/auth/htpasswd"
    put_back "$server/previous/compose.yaml" "$server/compose.yaml"
    own
    if start && reload; then
      say 'The previous release is back and healthy' >&2
    else
      say 'The previous release is back in place, but not healthy' >&2
    fi
  else
    compose down --timeout 20 >/dev/null 2>&1 || :
    rm -rf "$server/compose.yaml" "$server/auth"
    say 'There was no release before, so none is running now' >&2
  fi
  rm -f "$server/pending"
}

put_back() {
  # A roll-back that was killed may have put it back already, and mv refuses a file's other name.
  [ ! "$1" -ef "$2" ] || return 0
  ln -f "$1" "$2.new"
  mv -f "$2.new" "$2"
}

fail() {
  trap - EXIT
  set +e
  say "The installation failed: $1" >&2
  show_log
  roll_back
  exit 1
}

install() {
  preflight
  claim
  lock
  # An installation that was killed half-way left its mark: first back to the release before.
  [ ! -f "$server/pending" ] || { say 'An earlier installation did not end' && roll_back; }
  stage
  make_repositories
  change=none
  cmp -s "$server/next/htpasswd" "$server/auth/htpasswd" || change=credentials
  cmp -s "$server/next/compose.yaml" "$server/compose.yaml" || change=release
  if [ "$change" = none ] && is_healthy; then
    own
    prove || die 'the running server does not refuse strangers'
    rm -rf "$server/next"
    say "Nothing to change: the server on $listen_address port $port is as it should be"
    return 0
  fi

  remember
  trap 'fail "it was interrupted"' HUP INT TERM
  trap 'fail "see above"' EXIT
  put "$server/next/htpasswd" "$server/auth/htpasswd"
  put "$server/next/compose.yaml" "$server/compose.yaml"
  own
  if [ "$change" = credentials ] && is_healthy; then
    reload || fail 'the new credentials were not taken over'
  else
    start || fail 'the server did not become healthy'
    # A release that differs in nothing but its file leaves the container as it was.
    reload || fail 'the credentials were not taken over'
  fi
  prove || fail 'the server lets strangers in'
  rm -f "$server/pending"
  trap - EXIT HUP INT TERM
  rm -rf "$server/next"
  case $change in
  credentials) say 'The server has taken the new credentials over without a restart' ;;
  *) say "The server is up on $listen_address port $port" ;;
  esac
}

remove() {
  mkdir -p "$server"
  lock
  # By the project's name alone: the container goes whatever became of its files.
  docker compose --project-name "$project" down --timeout 20 >"$server/compose.log" 2>&1 || {
    sed 's/^/  /' "$server/compose.log" >&2
    die 'the server could not be stopped'
  }
  # What has no mark, or another server's, stays as it is.
  if [ "$(cat "$server/project" 2>/dev/null)" = "$project" ]; then
    rm -rf "$server"
  elif [ ! -f "$server/project" ]; then
    rm -f "$server/lock" "$server/compose.log"
    rmdir "$server" 2>/dev/null || :
  fi
  say "The server is stopped. The backups are untouched in $repositories on this machine"
}

case ${1-} in
install) install </dev/null ;;
remove) remove </dev/null ;;
*) die "got \"${1-}\", must be install or remove" ;;
esac
