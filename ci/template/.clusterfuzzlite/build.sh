#!/bin/bash -eu
# Builds the fuzz targets for ClusterFuzzLite: each is one file in $OUT, which needs nothing else.
cd "$SRC/shardmap"

# The image's flags ask for a sanitizer's runtime and for another instrumentation; mapcheck has its own of both.
unset RUSTFLAGS CFLAGS CXXFLAGS
cargo install --path "$SRC/mapcheck/framework/cli"
binaries="$(cargo mapcheck fuzz --build-only)"
while read -r binary; do cp "$binary" "$OUT/"; done <<<"$binaries"

# What the corpus has is known: a fuzz target reads it from beside itself.
if [ -d corpus ]; then cp -r corpus "$OUT/mapcheck-known"; fi
