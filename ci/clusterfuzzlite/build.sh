#!/bin/bash -eu
# Builds mapcheck's fuzz targets for ClusterFuzzLite and OSS-Fuzz, whose images run this. Each is one file in $OUT, which
# needs nothing else. By hand, where the checkout lies in $SRC/mapcheck:
#   SRC=/tmp/src OUT=/tmp/out SANITIZER=none bash ci/clusterfuzzlite/build.sh
cd "$SRC/mapcheck"

# Their flags ask for a sanitizer's runtime and for another instrumentation. mapcheck has its own of both, and an
# allocator of its own; `undefined` only says that no flag for rustc is among theirs.
case "${SANITIZER:-none}" in
none | undefined) unset RUSTFLAGS CFLAGS CXXFLAGS ;;
*)
    echo "error: mapcheck's fuzz targets are built with the sanitizer none, or undefined, and not with $SANITIZER" >&2
    exit 1
    ;;
esac

mkdir -p "$OUT"
binaries="$(cargo mapcheck fuzz --build-only)"
while read -r binary; do cp "$binary" "$OUT/"; done <<<"$binaries"

# What the corpus has is known: each fuzz target reads it from beside itself.
rm -rf "$OUT/mapcheck-known"
cp -r corpus "$OUT/mapcheck-known"
rm -rf "$OUT/mapcheck-known/inputs"

# The inputs that were kept, of all that a fuzz target fuzzes.
fuzzed="$(cargo mapcheck fuzz --list)"
while read -r target bin; do
    if [ -d "corpus/inputs/$target" ]; then
        find "corpus/inputs/$target" -type f -exec zip -q -j "$OUT/${bin}_seed_corpus.zip" {} +
    fi
done <<<"$fuzzed"
