#!/bin/sh
# How many executions each scheduler needs until it finds what is there: the catalogue of mutants and the known-bad
# targets, ten seeds each, on the native engine and on shuttle; then on shuttle as who has nothing else runs it, with so
# many executions of each scenario in turn, not in rounds. Some hours on two cores; a part of it:
# ci/search.sh --seeds 2 --scheduler portfolio
set -eu
cd "$(dirname "$0")/.."
[ $# -eq 0 ] || exec cargo mapcheck faults "$@"
cargo mapcheck faults --seeds 10
exec cargo mapcheck faults --seeds 10 --engine shuttle --batch 26
