# TLS in front of the server, for install.sh. Below the variables:
#   tls, tls_host, tls_dial, tls_names, authority, proxy_uid, caddy_files, caddy_files_id
#
#   $server/tls/<authority>  ca.pem and ca.key, which never leaves this machine
#   $server/caddy            what Caddy keeps: certificates, its account with the ACME server
#   $server/files/<id>       Caddyfile, acme-root.pem: in a folder named by their content, so that a
#                            release that is put back finds its own

authority_dir=$server/tls/$authority
# `stale` when what Caddy has read is no longer what is there.
proxy=

check_tls() {
  [ -n "$tls" ] || return 0
  command -v openssl >/dev/null 2>&1 || problem 'openssl: is not installed. Install it with: apt-get install openssl'
}

# Directories come and go as a whole.
swap_in() {
  rm -rf "${2:?}"
  sync -f "$1" 2>/dev/null || sync
  mv -T "$1" "$2"
}

for_proxy() {
  chown -R "$proxy_uid:$proxy_uid" "$1"
  chmod 0500 "$1"
  find "$1" -type f -exec chmod 0400 {} +
}

# Before anything else is changed: what the new release needs is there beside what the old one has.
stage_tls() {
  [ -n "$tls" ] || return 0
  for folder in tls files caddy; do
    if [ -L "$server/$folder" ] || { [ -e "$server/$folder" ] && [ ! -d "$server/$folder" ]; }; then
      rm -f "$server/$folder"
    fi
  done
  mkdir -p "$server/tls" "$server/files" "$server/caddy"
  chown "$proxy_uid:$proxy_uid" "$server/caddy"
  chmod 0700 "$server/tls" "$server/files" "$server/caddy"
  rm -rf "$server/tls/.new" "$server/files/.new"
  mkdir "$server/files/.new"
  printf '%s\n' "$caddy_files" | while read -r name content; do
    printf '%s' "$content" | base64 -d >"$server/files/.new/$name"
  done
  for_proxy "$server/files/.new"
  if diff -r "$server/files/.new" "$server/files/$caddy_files_id" >/dev/null 2>&1; then
    rm -rf "$server/files/.new"
    for_proxy "$server/files/$caddy_files_id"
  else
    swap_in "$server/files/.new" "$server/files/$caddy_files_id"
    proxy=stale
  fi
  [ "$tls" != self-signed ] || stage_authority
}

# The authority lasts for a hundred years. What it vouches for is renewed by Caddy, time and again.
stage_authority() {
  if is_pair "$authority_dir"; then
    for_proxy "$authority_dir"
    return 0
  fi
  new=$server/tls/.new
  mkdir "$new"
  openssl ecparam -name prime256v1 -genkey -noout -out "$new/ca.key" ||
    die 'openssl can make no key, nothing was changed'
  printf '%s\n' '[req]' 'distinguished_name = name' 'prompt = no' 'x509_extensions = authority' \
    '[name]' "CN = fort-offsite $authority" \
    '[authority]' 'basicConstraints = critical, CA:TRUE, pathlen:0' \
    'keyUsage = critical, keyCertSign' "nameConstraints = critical, $tls_names" \
    'subjectKeyIdentifier = hash' >"$new/settings"
  openssl req -new -x509 -sha256 -days 36500 -config "$new/settings" -key "$new/ca.key" -out "$new/ca.pem" ||
    die 'openssl can make no certificate, nothing was changed'
  rm "$new/settings"
  for_proxy "$new"
  swap_in "$new" "$authority_dir"
  proxy=stale
  # What the one before vouched for is of no use.
  rm -rf "$server/caddy/certificates/$authority"
  say "This machine has made itself an authority for $tls_host: deploy the bundle's files that change"
}

# A certificate and the key that belongs to it.
is_pair() {
  [ -s "$1/ca.pem" ] && [ -s "$1/ca.key" ] &&
    [ "$(openssl x509 -in "$1/ca.pem" -noout -pubkey 2>/dev/null)" = "$(openssl pkey -in "$1/ca.key" -pubout 2>/dev/null)" ]
}

# Away with a Caddy that has read something else: compose would leave it.
clear_proxy() {
  [ "$proxy" = stale ] || return 0
  id=$(container caddy)
  [ -z "$id" ] || docker rm --force "$id" >/dev/null
}

# What a client gets who trusts this authority alone: the status of a stranger's request.
ask_over_tls() {
  set -- -connect "$tls_dial"
  case $tls_host in
  *:*) set -- "$@" -verify_ip "$tls_host" ;;
  *[!0-9.]*) set -- "$@" -servername "$tls_host" -verify_hostname "$tls_host" ;;
  *) set -- "$@" -verify_ip "$tls_host" ;;
  esac
  [ "$tls" != self-signed ] || set -- "$@" -CAfile "$authority_dir/ca.pem" -verify_return_error
  printf 'GET /nobody/config HTTP/1.0\r\nHost: %s\r\n\r\n' "$tls_host" |
    timeout 20 openssl s_client -quiet "$@" 2>/dev/null | awk 'NR == 1 { print $2 }'
}

# An authority of one's own must work now. Somebody else's may be slow, and Caddy goes on asking.
prove_tls() {
  [ -n "$tls" ] || return 0
  tries=0
  limit=15
  [ "$tls" != acme ] || limit=20
  while [ "$tries" -lt "$limit" ]; do
    code=$(ask_over_tls) || code=
    [ "$code" != 401 ] || return 0
    tries=$((tries + 1))
    sleep 2
  done
  if [ "$tls" = acme ] && [ -z "$code" ]; then
    say "THERE IS NO CERTIFICATE FOR $tls_host YET, and nobody can connect. Does the name lead here, and do its ports get through? Caddy goes on trying; its last words:" >&2
    docker logs --tail 200 "$(container caddy)" 2>&1 | grep '"level":"error"' | tail -n 3 | cut -c 1-600 | sed 's/^/  /' >&2
    return 0
  fi
  say "Over TLS the server answered ${code:-nothing} to a stranger, must be 401" >&2
  return 1
}

# After a success: what belongs to no release any more.
tidy_tls() {
  for folder in "$server/tls"/* "$server/files"/*; do
    case ${folder##*/} in
    "$authority" | "$caddy_files_id" | '*') ;;
    *) rm -rf "${folder:?}" ;;
    esac
  done
}

# For the operator's machine, which puts it into the bundle. It is public.
tell_authority() {
  [ "$tls" != self-signed ] || say "authority $(openssl x509 -in "$authority_dir/ca.pem" -outform DER | base64 | tr -d '\n')"
}
