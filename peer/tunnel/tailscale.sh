# Holds the peer's end of a Tailscale tunnel: a tailscaled without a network interface and without
# any right, which hands connections on to the loopback address of the network that its container
# shares with the server. It runs as the container's first process, below the variables that
# peer/tunnel.ts writes:
#   hostname, login_server, advertise, tags
# The auth key is read from its file only where the node has to log in: for the first time, or after
# the tailnet has forgotten it.

set -u
export HOME=/run/tailscale
socket=/run/tailscale/tailscaled.sock
# There while the node is who it must be: the container's health check looks for it.
joined=/run/tailscale/joined

say() { printf '%s\n' "$*"; }
client() { timeout 90 tailscale --socket="$socket" "$@"; }
state() {
  client status --json --peers=false 2>/dev/null | grep -o '"BackendState": "[A-Za-z]*"' | grep -o '[A-Za-z]*"$' | grep -o '[A-Za-z]*'
}

# The tags are what keeps the node from everything else in the tailnet: without them it would have
# the rights of the user whose auth key it is.
is_tagged() {
  status=$(client status --json --peers=false) || return 1
  for tag in $tags; do
    case $status in *"\"$tag\""*) ;; *) return 1 ;; esac
  done
}

join() {
  rm -f "$joined"
  log_in || return 1
  if is_tagged; then
    : >"$joined"
    say 'The tunnel is up'
    return 0
  fi
  say "The auth key does not make the node $tags: it is logged out again. Give a key with these tags as targetSecrets.<name>.tailscaleAuthKey"
  client logout
  return 1
}

log_in() {
  client up --reset --timeout=60s --auth-key=file:/etc/tunnel-key/authkey --hostname="$hostname" \
    --advertise-tags="$advertise" --accept-dns=false --accept-routes=false \
    ${login_server:+--login-server="$login_server"} </dev/null
}

trap 'kill "$daemon"; wait "$daemon"; exit 0' TERM INT
tailscaled --tun=userspace-networking --statedir=/var/lib/tailscale --socket="$socket" \
  --no-logs-no-support &
daemon=$!
until [ -S "$socket" ]; do
  kill -0 "$daemon" 2>/dev/null || exit 1
  sleep 0.2
done
# The settings may have changed since the last start: a node that is logged in takes them over.
join
while kill -0 "$daemon" 2>/dev/null; do
  sleep 5 &
  wait "$!"
  if [ "$(state)" = NeedsLogin ] && ! join; then
    sleep 30 &
    wait "$!"
  fi
done
say 'tailscaled has ended'
exit 1
