#!/bin/sh
# Finds and shrinks the findings of the corpus anew, for when the machine's schedule points have moved. What was there
# of these targets is replaced, once all of them are found.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

find_in() {
    # 2 says that something was found.
    cargo mapcheck check --add --out "$out" "$@" && code=0 || code=$?
    [ "$code" -eq 2 ] || { echo "nothing found in $*" >&2; exit 1; }
}

find_in flurry@0.4.0 --keep-going
find_in flurry@0.4.0 --scenario concurrent-write/at/grow-during
find_in papaya@0.1.2 --keep-going
find_in papaya@0.2.4 --scenario concurrent-growth
find_in leapfrog@0.3.3 --keep-going --executions 5000
find_in bplustree@0.1.0 --keep-going --executions 5000
# Where an invalid pointer leads depends on what lies in memory, which is not the same in the next build.
rm -f "$out"/bplustree@0.1.0/crash-* "$out"/bplustree@0.1.0/leak-* "$out"/bplustree@0.1.0/livelock-*
# It waits in loops that give way to nobody: whether these end is up to the scheduler.
rm -f "$out"/leapfrog@0.3.3/livelock-*
find_in flurry --scenario bulk-build --keep-going
find_in flurry --scenario concurrent-growth/cleared
find_in crossbeam-skiplist
find_in scc-hashindex
find_in papaya@blocking --scenario concurrent-growth
find_in papaya --scenario generated/0-299 --executions 20000
find_in scc-treeindex --keep-going --executions 20000
# What a fault shows, at every point in turn.
find_in papaya --fault panic-in-hash --scheduler each-fault
find_in scc-treeindex --fault panic-in-eq --scheduler each-fault
find_in scc-hashmap --fault allocation-failure --scheduler each-fault
find_in flurry --fault panic-in-clone --scheduler each-fault --scenario delete-current
# Every mutant of the models that is not equivalent.
# shellcheck disable=SC2046
cargo mapcheck faults --engine native --time 180s --out "$out" $(cargo mapcheck list --format json |
    sed -n 's/^{"type":"mutant","fault":"\([FC][^"]*\)".*/\1/p') ||
    { echo "a mutant was not found as documented" >&2; exit 1; }

for dir in "$out"/*/; do
    target=$(basename "$dir")
    rm -rf "corpus/$target"
    mkdir -p "corpus/$target"
    cp "$dir"*.toml "corpus/$target/"
done
find corpus -name '*.toml' | sort
