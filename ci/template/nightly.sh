#!/bin/sh
# What the night does: ./nightly.sh [TIME]
set -eu
cd "$(dirname "$0")"
cargo mapcheck fuzz shardmap --time "${1:-20m}" --seed "$(date -u +%Y%m%d)" --known corpus --corpus kept --out found
