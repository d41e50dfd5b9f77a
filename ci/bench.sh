#!/usr/bin/env bash
# The measured figures: the text on stdout, every sample in FOLDER/bench.jsonl, plots in FOLDER/bench.html.
# Usage: ci/bench.sh [FOLDER [GROUP…]]; the folder is target/bench unless given, and its figures of before are replaced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:-target/bench}
mkdir -p "$out"
rm -f "$out/bench.jsonl" "$out/bench.html"
code=0
cargo mapcheck bench "${@:2}" --format json > "$out/bench.jsonl" || code=$?
# Who could not measure hides nobody else.
cargo mapcheck bench --from "$out/bench.jsonl" --html "$out/bench.html" | tee "$out/bench.txt"
exit $code
