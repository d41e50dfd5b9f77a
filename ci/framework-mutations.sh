#!/usr/bin/env bash
# Breaks mapcheck itself in one place after the other and runs the tests that must notice.
# By hand, some of them: ci/framework-mutations.sh NAME…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo run --quiet --package mapcheck-tests --bin framework-mutations -- "$@"
