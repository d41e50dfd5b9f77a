#!/usr/bin/env bash
# What a change must pass: formatting, lints, tests. Run it by hand before you propose the change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The workspace, and the crates that are workspaces of their own.
cargo fmt --all --check
for manifest in targets/known-bad/*/Cargo.toml targets/apart/*/Cargo.toml tests/subjects/*/Cargo.toml; do
    [ -e "$manifest" ] || continue
    cargo fmt --manifest-path "$manifest" --check
done
# Where it lies, the template has no mapcheck beside it: cargo would not know what to format.
find ci/template -name '*.rs' -exec rustfmt --edition 2024 --check {} +
cargo clippy --workspace --all-targets -- -D warnings
.ci/run
