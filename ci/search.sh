#!/bin/sh
# How many executions each scheduler needs until it finds what is there: the catalogue of mutants and the known-bad
# targets, ten seeds each, on the native engine and on shuttle. Some hours on two cores; a part of it:
# ci/search.sh --seeds 2 --scheduler portfolio
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- --seeds 10
exec cargo mapcheck faults "$@"
