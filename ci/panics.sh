#!/bin/sh
# Who stays safe when a callback panics: in every built-in scenario of every target, at every callback in turn. Prints the
# table of docs/panics.md. Other faults: ci/panics.sh allocation-failure; other targets too: FAULTS -- TARGET…
set -eu
cd "$(dirname "$0")/.."
faults='' targets=''
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    faults="$faults --fault $1"
    shift
done
[ $# -eq 0 ] || { shift; targets="$*"; }
[ -n "$faults" ] || for callback in hash eq clone drop visitor; do
    faults="$faults --fault panic-in-$callback"
done
# shellcheck disable=SC2086
cargo mapcheck matrix $targets $faults --out target/panics
