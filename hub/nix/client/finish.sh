# After a backup, whatever came of it: takes the dumps away and leaves metrics. Sourced with `dumps`,
# `state`, `runtime`, and `metrics`, which may be empty.

success=0
if [ "${SERVICE_RESULT:-}" = success ]; then
  success=1
  date +%s >"$state/last-success"
fi
rm -rf -- "$dumps"

# 1 where the first word is one of the others, else 0.
is() {
  local each found=0 wanted=$1
  shift
  for each in "$@"; do if [ "$each" = "$wanted" ]; then found=1; fi; done
  echo "$found"
}

write_metrics() {
  local file=$metrics/offsite-client.prom credential='' each
  if [ -e "$runtime/credential" ]; then credential=$(cat -- "$runtime/credential"); fi
  {
    echo '# HELP offsite_client_last_run_timestamp_seconds When the last backup of this host ended.'
    echo '# TYPE offsite_client_last_run_timestamp_seconds gauge'
    echo "offsite_client_last_run_timestamp_seconds $(date +%s)"
    echo '# HELP offsite_client_last_run_success Whether the last backup of this host succeeded.'
    echo '# TYPE offsite_client_last_run_success gauge'
    echo "offsite_client_last_run_success $success"
    if [ -e "$state/last-success" ]; then
      echo '# HELP offsite_client_last_success_timestamp_seconds When this host was last backed up with success.'
      echo '# TYPE offsite_client_last_success_timestamp_seconds gauge'
      echo "offsite_client_last_success_timestamp_seconds $(cat -- "$state/last-success")"
    fi
    if [ -n "$credential" ]; then
      echo '# HELP offsite_client_credential Which of its credentials the hub accepted from this host, or that it refused all.'
      echo '# TYPE offsite_client_credential gauge'
      for each in current next previous refused; do
        echo "offsite_client_credential{credential=\"$each\"} $(is "$each" "$credential")"
      done
      echo '# HELP offsite_client_deployment_owed Whether the host, or the hub, must be deployed before the next rotation.'
      echo '# TYPE offsite_client_deployment_owed gauge'
      echo "offsite_client_deployment_owed{by=\"host\"} $(is "$credential" next refused)"
      echo "offsite_client_deployment_owed{by=\"hub\"} $(is "$credential" previous refused)"
    fi
  } >"$file.new"
  chmod 0644 "$file.new"
  mv -- "$file.new" "$file"
}

if [ -n "$metrics" ]; then write_metrics; fi
