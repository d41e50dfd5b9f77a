#!/usr/bin/env bash
# Fuzzes what reads our own files, command lines and lines of JSON, each target for ten minutes or as long as is asked
# for: ci/fuzz-parsers.sh --time 30s. Builds with cargo alone, on stable Rust; libFuzzer comes as a crate, which needs a
# C++ compiler. Prints what each did. Exits 0, or 2 when something was found, which is then in target/fuzz-parsers/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=10m
if [ "${1:-}" = --time ]; then
    time="$2"
    shift 2
fi
seconds="$(sed -E 's/^([0-9]+)s$/\1/; s/^([0-9]+)m$/\1*60/; s/^([0-9]+)h$/\1*3600/' <<<"$time")"
if [ $# -gt 0 ] || ! [[ "$seconds" =~ ^[0-9]+(\*[0-9]+)?$ ]]; then
    echo "usage: ci/fuzz-parsers.sh [--time TIME], a whole number and s, m or h, such as 30s" >&2
    exit 1
fi
seconds=$((seconds))

# An input's bytes, and the seconds after which it hangs. MiB of memory: what is used most is a tenth of it. libFuzzer's
# own limit of allocations (-malloc_limit_mb) does nothing without a sanitizer's runtime, and it looks at the resident
# memory once a second, so that what is given back sooner passes. Hence the system refuses address space beyond
# `reserved`; what asks for it aborts, which is a crash.
longest=16384
patience=10
resident=384
reserved=512

host="$(rustc -vV | sed -n 's/^host: //p')"
built="${CARGO_TARGET_DIR:-target}/fuzz-parsers"
# What cargo-fuzz passes, without a sanitizer.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags="$flags -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0"
flags="$flags --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1"
targets=(repro_file flags json)
bins=()
for name in "${targets[@]}"; do bins+=(--bin "$name"); done
RUSTFLAGS="$flags" cargo build --quiet --release -p mapcheck-targets --features fuzz-parsers --target "$host" \
    --target-dir "$built" "${bins[@]}"

seeds="$built/seeds/repro_file"
mkdir -p "$seeds"
find corpus tests/subjects docs/origin -name '*.toml' ! -name Cargo.toml ! -path '*/target/*' |
    while read -r file; do cp "$file" "$seeds/$(tr / - <<<"$file")"; done

run() {
    local name="$1" dir="$built/$1" more=() code=0
    rm -rf "$dir"
    mkdir -p "$dir/corpus"
    if [ -d "$built/seeds/$name" ]; then more+=("$built/seeds/$name"); fi
    (
        ulimit -v $((reserved * 1024))
        exec "$built/$host/release/$name" "$dir/corpus" "${more[@]}" -max_total_time="$seconds" \
            -max_len="$longest" -timeout="$patience" -rss_limit_mb="$resident" -artifact_prefix="$dir/" \
            -print_final_stats=1
    ) >"$dir/log" 2>&1 || code=$?
    stat() { sed -n "s/^stat::$1: *//p" "$dir/log" | tail -n 1; }
    took="$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$dir/log")"
    count() { find "$dir" -maxdepth 1 \( "${@}" \) | wc -l; }
    hangs="$(count -name 'timeout-*')"
    crashes="$(count -name 'crash-*' -o -name 'oom-*' -o -name 'leak-*')"
    # What kills the process without a word, as an overflow of the stack does, is a crash as well, and no file has it.
    if [ "$code" != 0 ] && [ $((hangs + crashes)) = 0 ]; then crashes=1; fi
    executions="$(stat number_of_executed_units)"
    printf '%-12s %10s executions, %5s s, %s crashes, %s hangs, peak memory %s MiB\n' "$name" \
        "${executions:-?}" "${took:-?}" "$crashes" "$hangs" "$(stat peak_rss_mb)"
    if [ "$code" != 0 ]; then
        echo "$name ended with code $code; $dir/log ends with:"
        tail -n 20 "$dir/log"
        return 2
    fi
}

status=0
for name in "${targets[@]}"; do run "$name" || status=2; done
exit "$status"
