#!/usr/bin/env bash
# Looks for false alarms: all correct targets and all models without a mutant, every oracle on. What is found and not in
# the corpus is a false alarm or a defect that nobody knew; docs/findings.md says which each has been so far.
#
#   ci/false-alarms.sh [EXECUTIONS]     in all, shared out among the targets; 1,000,000 unless given
#
# Exit code 0: nothing new; 2: something new, with its repro in mapcheck.out/false-alarms.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

executions="${1:-1000000}" out=mapcheck.out/false-alarms
cargo build --quiet --release --package cargo-mapcheck
mapfile -t targets < <(
    cargo mapcheck list --format json | sed -n '/"apart":true/d; s/^{"type":"target","target":"\([^"]*\)".*"known_bad":false.*/\1/p'
)
[ ${#targets[@]} -gt 0 ] || { echo "error: there are no targets" >&2; exit 1; }

mkdir -p "$out"
each=$(((executions + ${#targets[@]} - 1) / ${#targets[@]}))
echo "${#targets[@]} targets, $each executions each"
code=0
cargo mapcheck check "${targets[@]}" --executions "$each" --keep-going --out "$out/repros" --format json \
    >"$out/runs.jsonl" || code=$?
# 2 is a finding, which may be known; 3 a budget that ended.
case "$code" in 0 | 2 | 3) ;; *) exit "$code" ;; esac
tail -n 1 "$out/runs.jsonl"
ci/new-findings.sh "$out/runs.jsonl"
