#!/usr/bin/env bash
# Writes how each finding of a published map came about, as text: docs/findings/explained/TARGET/REPRO.md for every repro in
# the corpus of a target that is no model and not known to be bad. It builds what is in targets/apart, too.
#
#   ci/explain-findings.sh [TARGET…]
#
# Exit code 0: all were explained; 1: one was not, which is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pages=docs/findings/explained code=0
for dir in corpus/*/; do
    target="$(basename "$dir")"
    case "$target" in *@[0-9]*.*.* | c-map | go-* | lock-free-* | rejected | scenarios) continue ;; esac
    [ $# -eq 0 ] || [[ " $* " == *" $target "* ]] || continue
    rm -rf "${pages:?}/$target"
    mkdir -p "$pages/$target"
    for repro in "$dir"*.toml; do
        page="$pages/$target/$(basename "$repro" .toml).md"
        ended=0
        cargo mapcheck explain "corpus/$target/$(basename "$repro")" >"$page" || ended=$?
        # 2 says that it is found again.
        if [ "$ended" -ne 2 ]; then
            echo "error: $repro is not explained: code $ended" >&2
            rm -f "$page"
            code=1
        fi
    done
done
exit "$code"
