#!/usr/bin/env bash
# Which findings of a run are new: ci/new-findings.sh RUNS.jsonl
#
# Each mistake once, however many ways found it. What the corpus has at the same class and site is known. Exit code 0: no
# finding is new; 2: some are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -eq 1 ] && [ -r "$1" ] || { echo "error: give the JSON lines of a run" >&2; exit 1; }

new=0
while IFS=$'\t' read -r target class site; do
    told=NEW
    for repro in corpus/"$target"/*.toml corpus/rejected/"$target"/*.toml; do
        [ -e "$repro" ] || continue
        if grep -qxF "class = \"$class\"" "$repro" && grep -qxF "site = \"$site\"" "$repro"; then told=known; fi
    done
    [ "$told" = known ] || new=$((new + 1))
    echo "$told: $target: $class at $site"
done < <(
    sed -n 's/^{"type":"finding","target":"\([^"]*\)".*"class":"\([^"]*\)","site":"\([^"]*\)".*/\1\t\2\t\3/p' "$1" | sort -u
)
[ "$new" -eq 0 ] || exit 2
