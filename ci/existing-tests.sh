#!/bin/sh
# The tests that a published crate comes with, explored: each `#[test]` becomes a `#[mapcheck::test]`, and nothing else.
#   ci/existing-tests.sh flurry 0.5.2 'rand = "0.8"' -- --test basic
# Name, version, what the tests depend on besides (one argument, lines of TOML), and arguments for `cargo test`.
# Settings are the environment's: MAPCHECK_EXECUTIONS=20, say. RUN=test runs by plain cargo instead of cargo mapcheck.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
name=$1 version=$2 needs=$3
shift 3
[ "${1-}" != -- ] || shift

work=$root/target/existing-tests
copy=$work/$name-$version
mkdir -p "$work/get/src"
printf '[package]\nname = "get"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n%s = "=%s"\n' \
    "$name" "$version" >"$work/get/Cargo.toml"
: >"$work/get/src/lib.rs"
rm -f "$work/get/Cargo.lock"
manifest=$(cargo metadata --quiet --format-version 1 --manifest-path "$work/get/Cargo.toml" |
    tr ',' '\n' | sed -n "s|^\"manifest_path\":\"\\(.*/$name-$version/Cargo.toml\\)\"\$|\\1|p" | head -n 1)
rm -rf "$copy"
cp -r "$(dirname "$manifest")" "$copy"

# Without what only its benchmarks, examples and other tests need.
awk '/^\[/ { drop = /^\[+(dev-dependencies|bench|example|workspace|lints|target.*dev-dependencies)/ } !drop' \
    "$manifest" >"$copy/Cargo.toml"
rm -f "$copy/Cargo.lock" "$copy"/rust-toolchain*
{
    printf '\n[workspace]\n\n[dev-dependencies]\nmapcheck = { path = "%s/framework" }\n%s\n' "$root" "$needs"
    printf '\n[profile.dev.package.mapcheck-machine]\nopt-level = 3\n[profile.dev.package.mapcheck]\nopt-level = 2\n'
} >>"$copy/Cargo.toml"
grep -rl '#\[test\]' "$copy" --include=*.rs | xargs sed -i 's/#\[test\]/#[cfg(test)] #[mapcheck::test]/'

# A dependency's lints are none of ours.
export RUSTFLAGS="${RUSTFLAGS-} --cap-lints=warn"
cd "$copy"
if [ "${RUN-}" = test ]; then
    exec cargo test --no-fail-fast "$@"
fi
exec "${CARGO_MAPCHECK:-cargo-mapcheck}" mapcheck test --no-fail-fast "$@"
