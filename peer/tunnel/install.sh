# The server's own tunnel, for install.sh. Below the variables:
#   tunnel, tunnel_id, tunnel_uid, tunnel_files, tunnel_key_b64
#
#   $server/tunnel/<id>      start.sh, and wg.conf with WireGuard's keys: in a folder named by their
#                            content, so that a release that is put back finds its own
#   $server/tunnel/key       the auth key with which a node of Tailscale logs in: another one is no
#                            other release, and is read when it is needed
#   $server/tunnel/state     who the node is

# `stale` when what the tunnel has read is no longer what is there.
tunnelled=

for_tunnel() {
  chown -R "$tunnel_uid:$tunnel_uid" "$1"
  chmod "$2" "$1"
  find "$1" -type f -exec chmod "$3" {} +
}

# Before anything else is changed: what the new release needs is there beside what the old one has.
stage_tunnel() {
  [ -n "$tunnel" ] || return 0
  if [ -L "$server/tunnel" ] || { [ -e "$server/tunnel" ] && [ ! -d "$server/tunnel" ]; }; then
    rm -f "$server/tunnel"
  fi
  mkdir -p "$server/tunnel"
  chown 0:0 "$server/tunnel"
  chmod 0711 "$server/tunnel"
  stage_tunnel_files
  [ "$tunnel" = tailscale ] || return 0
  mkdir -p "$server/tunnel/key" "$server/tunnel/state"
  printf '%s' "$tunnel_key_b64" | base64 -d >"$server/tunnel/key/authkey.new"
  mv -fT "$server/tunnel/key/authkey.new" "$server/tunnel/key/authkey"
  for_tunnel "$server/tunnel/key" 0500 0400
  for_tunnel "$server/tunnel/state" 0700 0600
}

stage_tunnel_files() {
  new=$server/tunnel/.new
  rm -rf "$new"
  mkdir "$new"
  printf '%s\n' "$tunnel_files" | while read -r name content; do
    printf '%s' "$content" | base64 -d >"$new/$name"
  done
  for_tunnel "$new" 0500 0400
  if diff -r "$new" "$server/tunnel/$tunnel_id" >/dev/null 2>&1; then
    rm -rf "$new"
    for_tunnel "$server/tunnel/$tunnel_id" 0500 0400
  else
    rm -rf "$server/tunnel/${tunnel_id:?}"
    sync -f "$new" 2>/dev/null || sync
    mv -T "$new" "$server/tunnel/$tunnel_id"
    tunnelled=stale
  fi
}

# Away with a tunnel that has read something else: compose would leave it.
clear_tunnel() {
  [ "$tunnelled" = stale ] || return 0
  id=$(container tunnel)
  [ -z "$id" ] || docker rm --force "$id" >/dev/null
}

# Away with what has another network than the one that is held now: compose would leave that, too.
gather() {
  ! is_together || return 1
  for part in tunnel rest-server; do
    part_id=$(service "$part")
    [ -z "$part_id" ] || docker rm --force "$part_id" >/dev/null
  done
}

# After a success: what belongs to no release any more, keys above all.
tidy_tunnel() {
  [ -n "$tunnel" ] || rm -rf "$server/tunnel"
  for folder in "$server/tunnel"/*; do
    case ${folder##*/} in
    "$tunnel_id" | '*') ;;
    key | state) [ "$tunnel" = tailscale ] || rm -rf "${folder:?}" ;;
    *) rm -rf "${folder:?}" ;;
    esac
  done
}
