# Runs blocks of a page in one shell, as a person does who pastes them: variables and folder stay. A
# command that fails ends it. Orders come on 3 as lines of: fails|works, and a file; answers go to 4.
set -eo pipefail
while read -r -u 3 order file; do
  status=0
  if [ "$order" = fails ]; then
    set +e
    . "$file" </dev/null >"$file.out" 2>&1 3<&- 4>&-
    status=$?
    set -e
  else
    . "$file" </dev/null >"$file.out" 2>&1 3<&- 4>&-
  fi
  printf '%s\n' "$status" >&4
done
