#!/bin/sh
# Random programs over the primitives of the standard library, against their model: 10,000 of them, or as many as are
# asked for, from another number on each day. Exits 0 only if none shows what the model does not allow, and nine in ten
# show all that it does: ci/primitives.sh 1000 0
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --release -p cargo-mapcheck
command=$PWD/target/release/cargo-mapcheck
export PRIMITIVES_COUNT="${1:-10000}" PRIMITIVES_FIRST="${2:-$(date -u +%Y%m%d)00000}"
cd tests/subjects/primitives
exec "$command" mapcheck test --test agree
