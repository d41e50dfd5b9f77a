#!/usr/bin/env bash
# Measures mapcheck against what is known: every mutant on every engine, then the models without a mutant, in which
# nothing is to be found. By hand, for some mutants: ci/faults.sh F26 F20
# Exit code 0: all is as documented. An engine other than native may miss a mutant; that is told, and no failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --quiet --release --package cargo-mapcheck
cargo mapcheck faults --engine native "$@"
cargo mapcheck faults --engine shuttle --engine loom --time 10s "$@" || [ $? -eq 3 ]
[ $# -gt 0 ] || cargo mapcheck check go-map go-map@racing go-swiss-map lock-free-map lock-free-map@hazards \
    --executions 200000
