# After a backup, whatever came of it: takes the dumps away and leaves metrics. Sourced with `dumps`,
# `state`, `runtime`, and `metrics`, which may be empty.

success=0
if [ "${SERVICE_RESULT:-}" = success ]; then
  success=1
  date +%s >"$state/last-success"
fi
rm -rf -- "$dumps"

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
      echo '# HELP offsite_client_credential Which of its credentials the hub accepted from this host.'
      echo '# TYPE offsite_client_credential gauge'
      for each in current next previous; do
        echo "offsite_client_credential{credential=\"$each\"} $([ "$each" = "$credential" ] && echo 1 || echo 0)"
      done
    fi
  } >"$file.new"
  chmod 0644 "$file.new"
  mv -- "$file.new" "$file"
}

if [ -n "$metrics" ]; then write_metrics; fi
