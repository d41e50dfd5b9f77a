#!/bin/sh
# Two threads with two operations each, all schedules with at most two preemptions, on one core: exits 0 only if each
# target was exhausted and nothing was found. Another bound: ci/exhaustive.sh 1
set -eu
cd "$(dirname "$0")/.."
bound=${1:-2}
for scenario in docs/exhaustive/*.toml; do
    cargo mapcheck check dashmap papaya crossbeam-skiplist go-map --scheduler exhaustive --bound "$bound" \
        --workers 1 --scenario "$scenario" --time 10m --out target/exhaustive
done
