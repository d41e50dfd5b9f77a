#!/usr/bin/env bash
# The measured figures, with what they were measured on. Optional argument: a file that gets them too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

measure() {
    date -u +%Y-%m-%d
    rustc --version
    sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort | uniq -c | sed 's/^ */processors: /'
    # Other load spoils the figures: the caches are shared even where CPU time is not.
    echo "load average at the start: $(cut -d ' ' -f 1 /proc/loadavg)"
    cargo mapcheck bench
}

if [ $# -gt 0 ]; then measure | tee "$1"; else measure; fi
