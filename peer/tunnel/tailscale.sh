# Holds the peer's end of a Tailscale tunnel: a tailscaled without a network interface and without
# any right, which hands connections on to the loopback address of the network that its container
# shares with the server. It runs as the container's first process, below the variables that
# peer/tunnel.ts writes:
#   hostname, login_server, tags
# The auth key is read from its file only where the node has to log in: for the first time, or after
# the tailnet has forgotten it.

set -u
export HOME=/run/tailscale
socket=/run/tailscale/tailscaled.sock

say() { printf '%s\n' "$*"; }
client() { timeout 90 tailscale --socket="$socket" "$@"; }
state() {
  client status --json --peers=false 2>/dev/null | grep -o '"BackendState": "[A-Za-z]*"' | grep -o '[A-Za-z]*"$' | grep -o '[A-Za-z]*'
}

join() {
  client up --reset --timeout=60s --auth-key=file:/etc/tunnel-key/authkey --hostname="$hostname" \
    --advertise-tags="$tags" --accept-dns=false --accept-routes=false \
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
join && say 'The tunnel is up'
while kill -0 "$daemon" 2>/dev/null; do
  sleep 5 &
  wait "$!"
  [ "$(state)" != NeedsLogin ] || { join && say 'The tunnel is up again'; }
done
say 'tailscaled has ended'
exit 1
