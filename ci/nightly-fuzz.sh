#!/usr/bin/env bash
# Fuzzes all targets that have a fuzz target, within a budget. By hand: ci/nightly-fuzz.sh --time 1m
#
#   ci/nightly-fuzz.sh [--time TIME] [--out DIR] [--seed N] [--corpus DIR] [TARGET…]
#
# TIME (default 5m) is what each target gets. A TARGET may be the name of a fuzz target, such as `published`: that stands
# for all that it fuzzes. The seed is today's date unless given, so a night draws other executions than the one before.
# What shows more than the inputs in DIR/inputs of --corpus (default mapcheck.out/fuzz-corpus) is added there, and the
# next night begins with it: keep that folder from night to night. What the project's corpus has is known.
# In DIR of --out (default mapcheck.out/nightly-fuzz): runs.jsonl, repros/, a report and a page beside each repro, summary.txt. What
# an earlier night left there is in DIR/repros.old.
# Exit code: 0 nothing new; 2 a finding that the corpus does not have; anything else is mapcheck's or this script's own failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=5m seed="$(date -u +%Y%m%d)" out=mapcheck.out/nightly-fuzz corpus=mapcheck.out/fuzz-corpus
options="time out seed corpus"
source ci/options.sh
wanted=("${words[@]}")

cargo build --quiet --release --package cargo-mapcheck
mapcheck() { cargo mapcheck "$@"; }

# Lines of a target and its fuzz target.
all="$(mapcheck fuzz --list)"
# Those of a name, which may be either's.
of() { awk -v name="$1" '$1 == name || $2 == name { print $1 }' <<<"$all"; }
targets=()
if [ ${#wanted[@]} -eq 0 ]; then
    mapfile -t targets < <(awk 'NF { print $1 }' <<<"$all")
fi
for name in "${wanted[@]}"; do
    mapfile -t -O ${#targets[@]} targets < <(of "$name")
    [ -n "$(of "$name")" ] || { echo "error: no target and no fuzz target is called $name" >&2; exit 1; }
done
[ ${#targets[@]} -gt 0 ] || { echo "error: there is nothing to fuzz" >&2; exit 1; }

mkdir -p "$out" "$corpus"
: >"$out/summary.txt"
code=0
mapcheck fuzz "${targets[@]}" --time "$time" --seed "$seed" --keep-going --known corpus --corpus "$corpus" \
    --out "$out/repros" --format json >"$out/runs.jsonl" || code=$?
# Code 2 is findings, which are held against the corpus below.
[ "$code" -ne 2 ] || code=0

# What came of each target.
grep '"type":"fuzz-summary"' "$out/runs.jsonl" | while IFS= read -r line; do
    value() { sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p' <<<"$line"; }
    echo "$(value target): $(value executions) executions, $(value features) features, $(value kept | sed s/null/0/) inputs added," \
        "$(value findings) findings, $(value artifacts) artifacts without one"
done | tee -a "$out/summary.txt" || true

# What a reader wants beside each repro: the report, and how it came about.
while IFS= read -r -d '' repro; do
    mapcheck replay "$repro" >"${repro%.toml}.txt" 2>/dev/null || true
    mapcheck explain "$repro" -o "${repro%.toml}.html" >/dev/null 2>&1 || true
done < <(find "$out/repros" -path '*/fuzz/*' -prune -o -name '*.toml' -print0 2>/dev/null)

new=0
ci/new-findings.sh "$out/runs.jsonl" >"$out/findings.txt" || new=$?
tee -a "$out/summary.txt" <"$out/findings.txt"
case "$new" in 0 | 2) ;; *) exit "$new" ;; esac
[ "$code" -ne 0 ] || code=$new
echo "seed $seed, $time each; exit code $code" | tee -a "$out/summary.txt"
exit "$code"
