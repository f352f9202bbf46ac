# Holds the peer's end of a WireGuard tunnel, in the network that its container shares with the
# server. It runs as the container's first process, below the variables that peer/tunnel.ts writes:
#   address, bits, userspace

set -u
config=/etc/tunnel/wg.conf

say() { printf '%s\n' "$*"; }

make_interface() {
  # An earlier start of this container may have left it behind: the network outlives it.
  ip link delete wg0 >/dev/null 2>&1 || :
  if [ -n "$userspace" ]; then
    wireguard-go wg0 >/dev/null
  elif ! ip link add wg0 type wireguard; then
    say "The kernel of this machine has no WireGuard. Load it with: modprobe wireguard; or set tunnel.userspace, with an image that has wireguard-go"
    return 1
  fi
}

up() {
  make_interface && wg setconf wg0 "$config" && ip address add "$address/$bits" dev wg0 &&
    ip link set dev wg0 mtu 1420 up && say 'The tunnel is up'
}

trap 'ip link delete wg0 >/dev/null 2>&1; exit 0' TERM INT
up || exit 1
while :; do
  sleep 2 &
  wait "$!"
  wg show wg0 >/dev/null 2>&1 || {
    say 'The tunnel is gone'
    up || exit 1
  }
done
