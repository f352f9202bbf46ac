# Looks at fort-offsite's server on this machine, changes nothing, and prints what it finds: one fact
# a line, `name=value`. peer/facts.ts reads them. It sends no secret and asks for none.

# A command of Docker's that hangs must not make the look hang.
bounded() { timeout 20 "$@"; }

# Whether a line is in the footprint that the last installation left.
is_noted() { grep -qxF -- "$1" "$server/footprint" 2>/dev/null; }

# A fact's value is one line of printable characters.
fact() {
  printf '%s=%s\n' "$1" "$(printf '%s' "$2" | LC_ALL=C tr -c '\040-\176\200-\377' '?')"
}

# look_path NAME PATH: what is there, and where a link leads to: kind|mode|user|group|link
look_path() {
  if [ -L "$2" ]; then
    fact "path.$1" "$(stat -L -c '%F|%a|%u|%g' "$2" 2>/dev/null || printf 'nothing|0|0|0')|$(readlink "$2")"
  elif [ -e "$2" ]; then
    fact "path.$1" "$(stat -c '%F|%a|%u|%g' "$2")|"
  fi
}

look_files() {
  fact unmounted "$(unmounted)"
  look_path data_dir "$data_dir"
  look_path repositories "$repositories"
  look_path server "$server"
  look_path auth "$server/auth"
  look_path htpasswd "$server/auth/htpasswd"
  look_path compose "$server/compose.yaml"
  look_path project "$server/project"
  [ ! -f "$server/project" ] || fact owner "$(head -c 200 "$server/project")"
  [ -e "$server" ] || fact empty yes
  is_ours && fact ours yes
  fact sha256.compose "$(sha256 "$server/compose.yaml")"
  fact sha256.htpasswd "$(sha256 "$server/auth/htpasswd")"
  [ ! -f "$server/compose.yaml" ] ||
    fact compose "$(head -c 65536 "$server/compose.yaml" | base64 | tr -d '\n')"
  [ ! -e "$server/pending" ] || fact pending yes
  if [ -f "$server/footprint" ]; then
    fact footprint yes
    footprint | while read -r line; do
      is_noted "$line" || fact changed "${line%% *}"
    done
    if [ ! -d "$server/tls" ] && grep -q '^tls ' "$server/footprint"; then fact changed tls; fi
  fi
}

# From when until when the certificate is good that is shown to clients, in seconds.
look_certificate() {
  [ -n "$tls" ] || return 0
  dates=$(timeout 10 openssl s_client -connect "$tls_dial" -servername "$tls_host" 2>/dev/null |
    openssl x509 -noout -startdate -enddate 2>/dev/null) || return 0
  from=${dates#*=} to=${dates##*=}
  fact certificate "$(date -d "${from%%
*}" +%s 2>/dev/null) $(date -d "$to" +%s 2>/dev/null)"
}

look_data() {
  [ -d "$repositories" ] || return 0
  fact free "$(df -Pk "$repositories/" | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')"
  [ -w "$repositories/" ] || fact read_only yes
  if [ -n "$thorough" ]; then
    fact used "$(du -sk "$repositories/" | awk '{ printf "%.0f", $1 * 1024 }')"
    patience=300
  else
    patience=5
  fi
  # Files that the server cannot use: the first of them is enough to know.
  fact unusable "$(timeout "$patience" find "$repositories/" -mindepth 1 \
    \( ! -uid "$uid" -o -type d ! -perm -0700 -o -type f ! -perm -0400 \) -print -quit)"
  fact link "$(find "$repositories/" -mindepth 1 -maxdepth 2 -type l -print -quit)"
  [ -n "$thorough" ] || return 0
  # Per repository: the newest snapshot's time, how many there are. Names are its users', or odd.
  {
    LC_ALL=C find "$repositories/" -mindepth 1 -maxdepth 1 -type d ! -name '*[!0-9A-Za-z._-]*' -exec stat -c '0 %n/' {} +
    LC_ALL=C find "$repositories/" -mindepth 3 -maxdepth 3 -type f -path "$repositories/*/snapshots/*" \
      ! -name '*[!0-9a-f]*' -exec stat -c '%Y %n' {} +
  } | awk -v start=$((${#repositories} + 1)) '
    { path = substr($0, length($1) + 2 + start); sub(/\/.*/, "", path)
      if (!(path in count)) { count[path] = 0; newest[path] = 0 }
      if ($1 > 0) { count[path]++; if ($1 > newest[path]) newest[path] = $1 } }
    END { for (path in count) printf "repository=%d %d %s\n", count[path], newest[path], path }'
}

# What the running container has mounted: a directory that was replaced is another one under the
# same name, and the container goes on in the old one.
look_mounts() {
  [ -d "/proc/$1/root/data" ] || return 0
  for pair in "/data $repositories" "/etc/rest-server $server/auth"; do
    inside=$(stat -L -c '%d:%i' "/proc/$1/root${pair%% *}" 2>/dev/null) || inside=none
    outside=$(stat -L -c '%d:%i' "${pair#* }" 2>/dev/null) || outside=none
    [ "$inside" = "$outside" ] || fact detached "${pair#* }"
  done
}

# What the server answers to nobody and to a stranger. Only questions: a server that lets strangers
# in must not lose anything by being asked.
ask() {
  bounded docker exec "$1" /bin/sh -c '
    printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 "$1" "$2" | grep -m 1 "^HTTP/" || echo
    printf "GET /config HTTP/1.0\r\nAuthorization: %s\r\n\r\n" "$3" |
      nc -w 5 "$1" "$2" | grep -m 1 "^HTTP/" || echo' \
    sh "$local_address" "$local_port" "$(stranger)" 2>/dev/null |
    awk '{ printf "answer=%s %s\n", NR == 1 ? "nobody" : "stranger", $2 }' | tr -d '\r'
}

# Each call of Docker's takes a tenth of a second, and a second on a busy machine: one for all.
look_container() {
  all=$(bounded docker inspect --format '{{.Config.Image}} {{.State.Running}}{{.State.Paused}}{{.State.Restarting}} {{.State.Pid}} {{with index .Config.Labels "com.docker.compose.service"}}{{.}}{{else}}none{{end}} {{json .}}' "$1") || return 0
  from=${all%% *} all=${all#* }
  state=${all%% *} all=${all#* }
  pid=${all%% *} all=${all#* }
  service=${all%% *} all=${all#* }
  printf 'container=%s\n' "$all"
  image_json=$(image_print "$from")
  is_noted "image $image_json" || fact changed image
  printf 'image=%s %s\n' "$1" "$image_json"
  is_noted "$(container_print "$1")" || fact changed container
  # What stands beside the server is asked by its own health check.
  [ "$state.$service" = truefalsefalse.rest-server ] || return 0
  fact running "$1"
  is_together || fact apart yes
  look_mounts "$pid"
  ask "$1"
}

# list KIND: the containers of a kind, from the list of all.
#   id|name|project|door|until|state
list() {
  printf '%s\n' "$list" | awk -F '|' -v kind="$1" -v project="$project" '
    $3 == project { if (kind == "ours") print $1; next }
    $4 == project { if (kind == "door") print $5 " " $2; next }
    $2 == project "-rest-server-1" && kind == "impostor" { print $1 }
    $6 ~ /^Up/ && kind == "other" { print $1 }'
}

look_engine() {
  command -v docker >/dev/null 2>&1 || {
    fact engine missing
    return 0
  }
  engine=$(bounded docker version --format '{{.Server.Version}}' 2>/dev/null) &&
    list=$(bounded docker ps --all --no-trunc --format '{{.ID}}|{{.Names}}|{{.Label "com.docker.compose.project"}}|{{.Label "fort-offsite.door"}}|{{.Label "fort-offsite.door.until"}}|{{.Status}}') || {
    fact engine silent
    return 0
  }
  fact engine "$engine"
  for id in $(list ours); do look_container "$id"; done
  for id in $(list impostor); do fact impostor "$id"; done
  list door | while read -r door; do fact door "$door"; done
  others=$(list other)
  # shellcheck disable=SC2086 # a list of IDs
  [ -z "$others" ] || bounded docker inspect --format '{"name":{{json .Name}},"mounts":{{json .Mounts}}}' $others 2>/dev/null |
    sed 's/^/other=/'
}

look() {
  # A fact that cannot be had is missing, and the next one is asked for.
  set +e
  [ "$(id -u)" -eq 0 ] || die 'is not root there. Let targets.<name>.ssh.user be root, or a user who may use sudo without a password'
  fact now "$(date +%s)"
  has_address || fact address missing
  # Where systemd starts Docker: a server that does not come back after a reboot is found in time.
  [ ! -d /run/systemd/system ] || fact boot "$(systemctl is-enabled docker.service 2>/dev/null)"
  [ -n "$tunnel" ] || fact listener "$(ss -Hltnp "sport = :$port" 2>/dev/null | head -n 1 | tr -s ' ')"
  look_files
  look_engine
  look_certificate
  look_data
  fact end yes
}

look </dev/null
