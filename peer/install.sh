# Installs, changes or removes fort-offsite's rest-server on this machine, in one transaction:
# whatever happens, afterwards either the new release runs or the previous one does.
#
# It arrives on standard input, below the variables that peer/script.ts writes, and common.sh.
# It prints no secret, and takes none from its arguments.
#
#   $data_dir/repositories   the data. Nothing here ever removes it.
#   $data_dir/server         compose.yaml, auth/htpasswd: the release that runs;
#                            project: whose it is, without which nothing here is touched
#                            footprint: what was put in place; repaired: the last repair's name
#   $data_dir/server/previous   the release before, while `pending` marks a change under way
#   $data_dir/server/next    the release being put together

health_timeout=60

compose() { docker compose --project-name "$project" --file "$server/compose.yaml" "$@"; }

# at_least 2.17.0 v2.5.1 -> fails: versions are compared by their first two numbers.
at_least() {
  want_major=${1%%.*} rest=${1#*.} want_minor=${rest%%.*}
  have=${2#v} have_major=${have%%.*} rest=${have#*.} have_minor=${rest%%[!0-9]*}
  case $have_major$have_minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$have_major" -gt "$want_major" ] ||
    { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
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
  # The mark last: another installation may be making it just now.
  content=$(ls -A "$server" 2>/dev/null) || content=
  ours=
  ! is_ours || ours=yes
  owner=$(cat "$server/project" 2>/dev/null) || owner=
  if [ "$owner" = "$project" ] || [ -n "$ours" ]; then
    return 0
  elif [ -n "$owner" ]; then
    problem "dataDir: $data_dir belongs to the server $owner. If that one was renamed, take it out of the config, run pulumi up, and add it under its new name: the data stays. Otherwise choose another targets.<name>.dataDir"
  elif [ -n "$content" ]; then
    problem "dataDir: $server has files that are not fort-offsite's. Choose another targets.<name>.dataDir"
  elif [ -n "$(ls -A "$repositories" 2>/dev/null)" ] && [ "$(stat -c %u "$repositories/")" != "$uid" ]; then
    problem "dataDir: $repositories has files of another user. Choose another targets.<name>.dataDir, or hand it over with: chown -R $uid:$uid $repositories"
  fi
}

# The peer's owner may have filled the disk since the limit was set: what runs there may go on.
check_disk() {
  free_kib=$(df -Pk "$(existing_parent "$repositories")" | awk 'NR == 2 { print $4 }')
  used_kib=0
  [ ! -d "$repositories" ] || used_kib=$(du -sk "$repositories/" | awk '{ print $1 }')
  if [ $((free_kib + used_kib)) -lt "$max_size_kib" ]; then
    lack="disk: $data_dir has room for $(((free_kib + used_kib) / 1048576)) GiB, and maxSizeGiB asks for $(((max_size_kib + 1048575) / 1048576)). Free some space, or lower targets.<name>.maxSizeGiB"
    if [ -n "$repair" ] || grep -q "^ *- --max-size=$max_size\$" "$server/compose.yaml" 2>/dev/null; then
      say "$lack"
    else
      problem "$lack"
    fi
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
  for tool in awk base64 cmp df du flock grep sha256sum sync timeout; do
    command -v "$tool" >/dev/null 2>&1 || problem "$tool: is not installed"
  done
  check_tls
  check_owner
  point=$(unmounted)
  if [ -n "$point" ] && [ ! -e "$server" ]; then
    problem "dataDir: /etc/fstab has a disk for $point, which is not mounted. Mount it: the backups may be on it"
  fi
  if ! has_address; then
    problem "listen: this machine has no address $listen_address. Bring the tunnel up, or correct targets.<name>.listen"
  fi
  check_disk
  [ -z "$problems" ] || die "this machine is not ready, nothing was changed:$problems"
}

# Marks the directory as this server's, as a whole or not at all: without the mark the next
# installation would take its own beginnings for somebody else's.
claim() {
  [ -d "$data_dir" ] || (umask 022 && mkdir -p "$data_dir")
  mkdir -p "$server"
  [ "$(cat "$server/project" 2>/dev/null)" != "$project" ] || return 0
  mark=$(mktemp "$data_dir/.fort-offsite.XXXXXX")
  printf '%s' "$project" >"$mark"
  clear_way
  mv -fT "$mark" "$server/project"
}

# What stands where one of our own files must be, and is a link or of another kind.
clear_way() {
  for file in project compose.yaml auth/htpasswd; do
    if [ -d "$server/$file" ] && [ ! -L "$server/$file" ]; then rm -rf "${server:?}/$file"; fi
  done
  if [ -L "$server/auth" ] || { [ -e "$server/auth" ] && [ ! -d "$server/auth" ]; }; then
    rm -f "$server/auth"
  fi
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
  mv -fT "$2.new" "$2"
}

# What the container reads belongs to it; what it may not read stays root's.
own() {
  chown 0:0 "$server" "$server/compose.yaml" "$server/project"
  chown "$uid:$uid" "$server/auth" "$server/auth/htpasswd"
  chmod 0500 "$server/auth"
  chmod 0400 "$server/auth/htpasswd"
  chmod 0600 "$server/compose.yaml" "$server/project"
  chmod 0711 "$server"
  chmod o-w "$data_dir/"
}

# For the next look: what is in place, and which repair this was.
note() {
  {
    footprint
    for id in $(compose ps --quiet --all); do
      container_print "$id"
      printf 'image %s\n' "$(image_print "$(docker inspect --format '{{.Config.Image}}' "$id")")"
    done
  } >"$server/footprint.new" &&
    mv -fT "$server/footprint.new" "$server/footprint"
  [ -z "$repair" ] ||
    { printf '%s' "$repair" >"$server/repaired.new" && mv -fT "$server/repaired.new" "$server/repaired"; }
}

stage() {
  rm -rf "$server/next"
  mkdir -p "$server/next" "$server/auth"
  printf '%s' "$compose_b64" | base64 -d >"$server/next/compose.yaml"
  printf '%s' "$htpasswd_b64" | base64 -d >"$server/next/htpasswd"
  stage_tls
  stage_tunnel
  docker compose --project-name "$project" --file "$server/next/compose.yaml" config --quiet ||
    die 'the compose file does not suit this version of docker compose, nothing was changed'
  for each in $images; do
    docker image inspect "$each" >/dev/null 2>&1 && continue
    say "Pulling $each"
    docker pull --quiet "$each" >/dev/null ||
      die "the image $each can be neither found nor pulled, nothing was changed"
  done
}

make_repositories() {
  mkdir -p "$repositories"
  # Its content is the server's own already: preflight sees to it.
  chown "$uid:$uid" "$repositories/"
  chmod 0700 "$repositories/"
  # What somebody else put there, or put back, is of no use to the server as long as it is theirs.
  [ -n "$repair" ] || return 0
  find "$repositories/" -mindepth 1 ! -uid "$uid" -exec chown -h "$uid:$uid" {} +
  find "$repositories/" -mindepth 1 -type d ! -perm -0700 -exec chmod u+rwx {} +
  find "$repositories/" -mindepth 1 -type f ! -perm -0400 -exec chmod u+r {} +
}

# What was put here by us is a release to go back to. What was changed by hand is none: the new file
# takes its place.
remember() {
  rm -rf "$server/previous"
  mkdir "$server/previous"
  if [ -n "$repair" ]; then
    is_trusted compose compose.yaml || put "$server/next/compose.yaml" "$server/previous/compose.yaml"
    is_trusted htpasswd auth/htpasswd || put "$server/next/htpasswd" "$server/previous/htpasswd"
  fi
  if [ -n "$repair" ] || { [ -f "$server/compose.yaml" ] && [ -f "$server/auth/htpasswd" ]; }; then
    [ -f "$server/previous/compose.yaml" ] || put "$server/compose.yaml" "$server/previous/compose.yaml"
    [ -f "$server/previous/htpasswd" ] || put "$server/auth/htpasswd" "$server/previous/htpasswd"
  fi
  sync
  : >"$server/pending"
}

# is_trusted NAME FILE: whether a file is as we left it.
is_trusted() {
  [ -f "$server/$2" ] && grep -qxF "sha256.$1 $(sha256 "$server/$2")" "$server/footprint" 2>/dev/null
}

container() { compose ps --quiet --all "${1-rest-server}" 2>/dev/null | head -n 1; }

is_healthy() {
  for service in $services; do
    id=$(container "$service")
    [ -n "$id" ] && [ "$(docker inspect --format '{{.State.Health.Status}}' "$id" 2>/dev/null)" = healthy ] ||
      return 1
  done
  is_together
}

# Removes every container of the server, in whatever state; of others those that are in its way.
clear_containers() {
  for id in $(containers) $(impostors); do
    docker unpause "$id" >/dev/null 2>&1 || :
    docker stop --time 20 "$id" >/dev/null 2>&1 || :
    docker rm --force "$id" >/dev/null
  done
}

# Nobody else may write to the backups: somebody else's container is stopped, and stays on the disk.
# A door of prune's is left until its time is over.
clear_others() {
  now=$(date +%s)
  for id in $(doors); do
    until=$(docker inspect --format '{{index .Config.Labels "fort-offsite.door.until"}}' "$id")
    case $until in '' | *[!0-9]*) until=0 ;; esac
    [ "$until" -ge "$now" ] || docker rm --force "$id" >/dev/null
  done
  doors=$(doors)
  for id in $(docker ps --quiet --no-trunc); do
    case $doors in *"$id"*) continue ;; esac
    docker inspect --format '{{range .Mounts}}{{if .RW}}{{println .Source}}{{end}}{{end}}' "$id" |
      grep -q -e "^$data_dir\$" -e "^$data_dir/" || continue
    say "Stopping the container $(docker inspect --format '{{.Name}}' "$id"), which is not fort-offsite's and may write to $data_dir"
    docker update --restart=no "$id" >/dev/null 2>&1 || :
    docker stop "$id" >/dev/null
  done
}

start() {
  bring_up || return 1
  ! gather || bring_up
}

bring_up() {
  compose up --detach --wait --wait-timeout "$health_timeout" --remove-orphans --quiet-pull \
    </dev/null >"$server/compose.log" 2>&1 && return 0
  sed 's/^/  /' "$server/compose.log" >&2
  return 1
}

# What must be refused is refused: nobody's request, and a stranger's.
prove() {
  stranger=$(stranger)
  for check in 'GET / ' 'GET /config ' 'DELETE /config ' "GET /config $stranger" "POST /?create=true $stranger"; do
    method=${check%% *} rest=${check#* } path=${rest%% *} authorization=${rest#* }
    code=$(request "$(container)" "$method" "$path" "$authorization") || code=none
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
  for service in $services; do
    id=$(container "$service")
    [ -n "$id" ] || continue
    say "The container's last lines ($service):" >&2
    docker logs --tail 20 "$id" 2>&1 | sed 's/^/  /' >&2
  done
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
  footprint >"$server/footprint" 2>/dev/null || rm -f "$server/footprint"
  rm -f "$server/pending"
}

put_back() {
  # A roll-back that was killed may have put it back already, and mv refuses a file's other name.
  [ ! "$1" -ef "$2" ] || return 0
  ln -f "$1" "$2.new"
  mv -fT "$2.new" "$2"
}

fail() {
  trap - EXIT
  set +e
  say "The installation failed: $1" >&2
  show_log
  roll_back
  exit 1
}

# install [REPAIR]: with the name of a repair that was not made yet, the container is made anew,
# whatever the files and compose say.
install() {
  repair=${1-}
  [ "$repair" != "$(cat "$server/repaired" 2>/dev/null)" ] || repair=
  preflight
  claim
  lock
  # An installation that was killed half-way left its mark: first back to the release before.
  [ ! -e "$server/pending" ] || { say 'An earlier installation did not end' && roll_back; }
  clear_way
  stage
  make_repositories
  change=none
  cmp -s "$server/next/htpasswd" "$server/auth/htpasswd" || change=credentials
  cmp -s "$server/next/compose.yaml" "$server/compose.yaml" || change=release
  [ "$proxy$tunnelled" != stale ] || change=release
  [ -z "$repair" ] || change=repair
  if [ "$change" = none ] && is_healthy; then
    own
    # It may have loaded a file that was edited and put back.
    reload || die 'the running server does not take its credentials over'
    prove || die 'the running server does not refuse strangers'
    prove_tls || die 'the running server cannot be reached over TLS'
    note
    rm -rf "$server/next"
    say "Nothing to change: the server on $listen_address port $port is as it should be"
    tell_authority
    return 0
  fi

  remember
  trap 'fail "it was interrupted"' HUP INT TERM
  trap 'fail "see above"' EXIT
  put_in_place
  rm -f "$server/pending"
  trap - EXIT HUP INT TERM
  rm -rf "$server/next"
  case $change in
  credentials) say 'The server has taken the new credentials over without a restart' ;;
  *) say "The server is up on $listen_address port $port" ;;
  esac
  tidy_tls
  tidy_tunnel
  # What was tidied away is no change by hand.
  [ ! -d "$server/tls" ] || note || :
  tell_authority
}

put_in_place() {
  if [ "$change" = repair ]; then
    clear_containers
    clear_others
  fi
  put "$server/next/htpasswd" "$server/auth/htpasswd"
  put "$server/next/compose.yaml" "$server/compose.yaml"
  own
  clear_proxy
  clear_tunnel
  if [ "$change" = credentials ] && is_healthy; then
    reload || fail 'the new credentials were not taken over'
  else
    start || fail 'the server did not become healthy'
    # A release that differs in nothing but its file leaves the container as it was.
    reload || fail 'the credentials were not taken over'
  fi
  prove || fail 'the server lets strangers in'
  prove_tls || fail 'the server cannot be reached over TLS'
  note || fail 'its footprint could not be written'
}

remove() {
  mkdir -p "$server"
  lock
  # By the project's name alone: the container goes whatever became of its files.
  clear_containers
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

case ${1-}:${2-} in
install: | install:repair-*) install "${2-}" </dev/null ;;
remove:) remove </dev/null ;;
*) die "got \"$*\", must be install, install repair-<name> or remove" ;;
esac
