# What the peer's scripts share. It comes below the block of variables that peer/script.ts writes:
#   project, data_dir, listen_address, listen_ipv6, port: where clients reach the server;
#   tunnel, tunnel_id: the kind of the server's own tunnel, and its files;
#   local_address, local_port: where it is asked from its own container; uid;
#   and for an installation services, images, max_size, max_size_kib, compose_b64, htpasswd_b64;
#   for a look thorough

set -eu
umask 077
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"

server=$data_dir/server
repositories=$data_dir/repositories

# A connection that breaks must not end a roll-back at the next line that is printed.
trap '' PIPE
say() { printf '%s\n' "$*" || :; }
die() {
  say "fort-offsite: $*" >&2
  exit 1
}

has_address() {
  [ -z "${tunnel-}" ] || return 0
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

# A disk that /etc/fstab has for the data, and that is not mounted: what is there now is not the data.
unmounted() {
  awk '$1 !~ /^#/ && $2 ~ /^\/./ { print $2 }' /etc/fstab 2>/dev/null | while read -r point; do
    case $repositories/ in
    "$point"/*) mountpoint -q "$point" || say "$point" ;;
    esac
  done
}

# Whether what lies in $server is this server's, whatever became of its mark.
is_ours() {
  grep -qxF "name: $project" "$server/compose.yaml" 2>/dev/null ||
    grep -qxF "project $project" "$server/footprint" 2>/dev/null ||
    [ -n "$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" \
      --filter "label=com.docker.compose.project.config_files=$server/compose.yaml" 2>/dev/null)" ]
}

# All containers of the project, whatever compose thinks of them, by their full IDs.
containers() {
  docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project"
}

# Doors: containers that prune opens for a limited time. Their end is in a label, in seconds.
doors() {
  docker ps --all --quiet --no-trunc --filter "label=fort-offsite.door=$project"
}

# Containers under the server's own name that compose does not know.
impostors() {
  docker ps --all --quiet --no-trunc --filter "name=^/?$project-rest-server-1\$" |
    while read -r id; do
      [ "$(docker inspect --format '{{index .Config.Labels "com.docker.compose.project"}}' "$id")" = "$project" ] ||
        say "$id"
    done
}

# Sends a request without a body from inside a container and prints the status code.
#   request CONTAINER METHOD PATH [AUTHORIZATION]
request() {
  printf '%s %s HTTP/1.0\r\n%s\r\n' "$2" "$3" "${4:+Authorization: $4
}" | timeout 20 docker exec -i "$1" nc -w 5 "$local_address" "$local_port" | awk 'NR == 1 { print $2 }'
}

# The credential of somebody whom the server cannot know.
stranger() {
  name=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf 'Basic %s' "$(printf 'nobody:%s' "$name" | base64 | tr -d '\n')"
}

sha256() { [ ! -f "$1" ] || sha256sum <"$1" | cut -d ' ' -f 1; }

# What Docker was told of a container, as one line: only what somebody changes changes it.
container_print() {
  printf 'container %s\n' "$(docker inspect --format '{{.Id}} {{json .Config}} {{json .HostConfig}}' "$1" | sha256sum)"
}

# The image that a name stands for now.
image_print() {
  timeout 20 docker image inspect --format '{"id":{{json .Id}},"env":{{json .Config.Env}}}' "$1" 2>/dev/null ||
    printf '{"id":null,"env":null}\n'
}

# A container of the server's by its service.
service() {
  timeout 20 docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" | head -n 1
}

# Whether tunnel and server are in the network that is held now: whoever starts that container again
# by hand leaves them in one that leads nowhere.
is_together() {
  [ -n "${tunnel-}" ] || return 0
  held=
  for part in network tunnel rest-server; do
    part_id=$(service "$part")
    [ -n "$part_id" ] || return 1
    part_net=$(readlink "/proc/$(timeout 20 docker inspect --format '{{.State.Pid}}' "$part_id")/ns/net") || return 1
    [ "${held:=$part_net}" = "$part_net" ] || return 1
  done
}

# The files of the tunnel as one line.
tunnel_print() {
  [ -z "$tunnel" ] || (cd "$server/tunnel/$tunnel_id" 2>/dev/null && cat -- * | sha256sum) || :
}

# What was put in place, a line each. An edit that was taken back is seen by the file's time of
# change, which nobody can set: the server may have loaded the file meanwhile.
footprint() {
  printf 'project %s\n' "$project"
  printf 'htpasswd %s\n' "$(stat -c '%i %z' "$server/auth/htpasswd" 2>/dev/null)"
  printf 'sha256.htpasswd %s\n' "$(sha256 "$server/auth/htpasswd")"
  printf 'sha256.compose %s\n' "$(sha256 "$server/compose.yaml")"
  printf 'tunnel %s\n' "$(tunnel_print)"
  for name in data_dir repositories; do
    case $name in data_dir) at=$data_dir ;; *) at=$repositories ;; esac
    printf '%s %s\n' "$name" "$(readlink "$at" || printf 'a directory')"
  done
  # The files of TLS, all in one: what is there, whatever release it belongs to.
  [ ! -d "$server/tls" ] || printf 'tls %s\n' "$(cd "$server" && find tls files -type f ! -path '*/.new/*' \
    -exec sha256sum {} + 2>/dev/null | LC_ALL=C sort | sha256sum)"
}
