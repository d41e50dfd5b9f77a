#!/usr/bin/env bash
# Replays the whole corpus. `cargo test` leaves out what is of the crates in targets/apart, which take minutes to build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
MAPCHECK_APART=1 cargo test --package mapcheck-tests --test corpus
# The adapters, each on one thread.
for manifest in targets/apart/*/Cargo.toml; do
    if grep -q '^targets = \[\]' "$manifest"; then continue; fi
    cargo test --manifest-path "$manifest" || { echo "error: $manifest" >&2; exit 1; }
done
