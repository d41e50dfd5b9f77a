#!/usr/bin/env bash
# A campaign over all targets, within a budget. By hand: ci/nightly-campaign.sh --time 1m
#
#   ci/nightly-campaign.sh [--time TIME] [--plain N] [--which members|apart|all] [--shard I/N] [--seed N] [--out DIR] [TARGET…]
#
# TIME (default 5m) is what each target gets without faults, exhaustively with at most one preemption, and with each fault.
# Without faults it gets that N times (default 1), with a seed each. Without a TARGET: the members of the workspace
# (`members`), the crates in targets/apart, or both. The seed is today's date unless given: a night explores other
# executions than the night before, and all shards of a night agree on the seed. ci/explored.sh makes tables of it.
# In DIR (default mapcheck.out/nightly): runs.jsonl, repros/, a report and a page beside each repro, summary.txt. Given again on the
# same date with the same DIR, it goes on where it was ended; a mistake that another way found first is not told twice.
# Exit code: 0 nothing new; 2 a finding that the corpus does not have; anything else is mapcheck's or this script's own failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=5m plain=1 which=members shard=1/1 seed="$(date -u +%Y%m%d)" out=mapcheck.out/nightly
options="time plain which shard seed out"
source ci/options.sh
targets=("${words[@]}")

cargo build --quiet --release --package cargo-mapcheck
mapcheck() { cargo mapcheck "$@"; }

# The names of what `list` prints, of one type.
listed() {
    mapcheck list --format json | sed -n 's/^{"type":"'"$1"'","[a-z]*":"\([^"]*\)".*'"${2:-}"'.*/\1/p'
}
case "$which" in
members) wanted='"known_bad":false}' ;;
apart) wanted='"known_bad":false,"apart":true' ;;
all) wanted='"known_bad":false' ;;
*) echo "error: --which is members, apart or all" >&2; exit 1 ;;
esac
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(listed target "$wanted")
[ ${#targets[@]} -gt 0 ] || { echo "error: there are no targets" >&2; exit 1; }

ways=()
for ((i = 0; i < plain; i++)); do ways+=("--scheduler portfolio --seed $((seed + i))"); done
ways+=("--scheduler exhaustive --bound 1 --seed $seed")
for fault in $(listed fault-kind); do ways+=("--fault $fault --seed $seed"); done

mkdir -p "$out"
: >"$out/runs.jsonl"
: >"$out/summary.txt"
worst=0
for target in "${targets[@]}"; do
    for way in "${ways[@]}"; do
        code=0
        # Each way is several words.
        # shellcheck disable=SC2086
        mapcheck check "$target" $way --time "$time" --shard "$shard" --keep-going \
            --add --out "$out/repros" --format json >>"$out/runs.jsonl" 2>"$out/stderr" || code=$?
        cat "$out/stderr" >&2
        # What a map's documentation forbids is no failure.
        if grep -q "is not made for the fault" "$out/stderr"; then code=excluded; fi
        # Code 3, a budget that ended, is what a campaign is for.
        case "$code" in
        0 | 3) told="nothing found" ;;
        excluded) told="not for this map" ;;
        2) told="found something"; [ "$worst" -ne 0 ] || worst=2 ;;
        *) told="failed with code $code"; worst=$code ;;
        esac
        echo "$target $way: $told" | tee -a "$out/summary.txt"
    done
done

# What a reader wants beside each repro: the report, and how it came about.
while IFS= read -r -d '' repro; do
    mapcheck replay "$repro" >"${repro%.toml}.txt" 2>/dev/null || true
    mapcheck explain "$repro" -o "${repro%.toml}.html" >/dev/null 2>&1 || true
done < <(find "$out/repros" -path '*/scenarios/*' -prune -o -name '*.toml' -print0 2>/dev/null)

# What is known does not make a night fail.
new=0
ci/new-findings.sh "$out/runs.jsonl" >"$out/findings.txt" || new=$?
tee -a "$out/summary.txt" <"$out/findings.txt"
case "$new" in 0 | 2) ;; *) exit "$new" ;; esac
if [ "$worst" -eq 2 ] && [ "$new" -eq 0 ]; then worst=0; fi
echo "seed $seed, shard $shard, $time each; exit code $worst" | tee -a "$out/summary.txt"
exit "$worst"
