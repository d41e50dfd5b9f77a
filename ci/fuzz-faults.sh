#!/usr/bin/env bash
# Fuzzes the catalogue: each mutant F1 to F40 from an empty corpus, with and without the feedback of interleavings, and tells
# how many were found. By hand: ci/fuzz-faults.sh
#
#   ci/fuzz-faults.sh [--time TIME] [--workers N] [--seeds N] [--out DIR] [MUTANT…]
#
# TIME (default 15s) is what each mutant gets in each way: ten minutes for forty. Both ways take turns, mutant by mutant, so that
# whatever else the machine does burdens both alike. In DIR (default mapcheck.out/fuzz-faults): rows.tsv, with a line for each run
# (mutant, seed, interleavings on or off, found or not, executions, milliseconds), and what was found.
# Exit code: 0 at least 30 of 40 were found with the feedback, in each seed; 2 fewer; anything else is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=15s workers=2 seeds=1 out=mapcheck.out/fuzz-faults
options="time workers seeds out"
source ci/options.sh
mutants=("${words[@]}")
[ ${#mutants[@]} -gt 0 ] || mapfile -t mutants < <(seq -f 'F%g' 40)

cargo build --quiet --release --package cargo-mapcheck
list="$(cargo mapcheck list --format json)"
target_of() { sed -n 's/^{"type":"mutant","fault":"'"$1"'".*"target":"\([^"]*\)".*/\1/p' <<<"$list" | head -n 1; }
value_of() { sed -n 's/.*"'"$2"'":\([0-9]*\).*/\1/p' <<<"$1"; }

mkdir -p "$out"
rows="$out/rows.tsv"
: >"$rows"
# As small as it gets is not asked for, only whether it is found.
export MAPCHECK_SHRINK=0
for seed in $(seq "$seeds"); do
    for mutant in "${mutants[@]}"; do
        target="$(target_of "$mutant")"
        [ -n "$target" ] || { echo "error: there is no mutant $mutant" >&2; exit 1; }
        for way in on off; do
            code=0
            printed="$(cargo mapcheck fuzz "$target" --fault "$mutant" --time "$time" --workers "$workers" --seed "$seed" \
                --interleavings "$way" --out "$out/$mutant-$seed-$way" --format json 2>"$out/log.txt")" || code=$?
            case "$code" in 0 | 2) ;; *) cat "$out/log.txt" >&2; exit "$code" ;; esac
            summary="$(grep '"type":"fuzz-summary"' <<<"$printed")"
            found=$([ "$code" -eq 2 ] && echo found || echo -)
            printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$mutant" "$seed" "$way" "$found" \
                "$(value_of "$summary" executions)" "$(value_of "$summary" wall_ms)" | tee -a "$rows"
            rm -rf "${out:?}/$mutant-$seed-$way/"*/fuzz/inputs
        done
    done
done

worst=0
for way in on off; do
    for seed in $(seq "$seeds"); do
        found=$(awk -F'\t' -v seed="$seed" -v way="$way" '$2 == seed && $3 == way && $4 == "found"' "$rows" | wc -l)
        echo "interleavings $way, seed $seed: $found of ${#mutants[@]} found, $time each with $workers processes"
        if [ "$way" = on ] && [ $((found * 4)) -lt $((${#mutants[@]} * 3)) ]; then worst=2; fi
    done
done
exit "$worst"
