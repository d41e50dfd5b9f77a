#!/bin/sh
# Finds and shrinks the findings of the corpus anew, for when the machine's schedule points have moved. What was there
# of these targets is replaced, once all of them are found.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

find_in() {
    # 2 says that something was found.
    cargo mapcheck check --out "$out" "$@" && code=0 || code=$?
    [ "$code" -eq 2 ] || { echo "nothing found in $*" >&2; exit 1; }
}

# flurry 0.5 shows its bug with some hash seeds only.
find_in_one_of_ten() {
    for seed in 0 1 2 3 4 5 6 7 8 9; do
        cargo mapcheck check --out "$out" --seed "$seed" "$@" && code=0 || code=$?
        [ "$code" -eq 0 ] || break
    done
    [ "$code" -eq 2 ] || { echo "nothing found in $*" >&2; exit 1; }
}

find_in flurry@0.4.0
find_in flurry@0.4.0 --scenario delete-unvisited
find_in flurry@0.4.0 --scenario concurrent-write/at/grow-during
find_in papaya@0.1.2
find_in_one_of_ten flurry --scenario bulk-build

for dir in "$out"/*/; do
    target=$(basename "$dir")
    rm -rf "corpus/$target"
    mkdir -p "corpus/$target"
    cp "$dir"*.toml "corpus/$target/"
done
find corpus -name '*.toml' | sort
