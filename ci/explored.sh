#!/usr/bin/env bash
# What campaigns explored, as a page of tables: ci/explored.sh [PAGE.md] RUNS.jsonl…
#
# A section for each target: its ways (faults and schedulers) by its families. Read the page's own first lines. Given an
# earlier PAGE.md, whose runs need not be there any more, it keeps that page's first lines and adds to its counts.
set -euo pipefail
[ $# -gt 0 ] && [ -r "$1" ] || { echo "error: give the JSON lines of runs" >&2; exit 1; }

case "$1" in *.md) ;; *) cat <<'END' ;; esac
# What was explored

Targets by families of scenarios by faults. A cell has the executions; after the slash, how many different interleavings
there were among those that were looked at, which is one execution in four; then, where there are any, `!` and the findings
that were told, and `=` and the scenarios that were exhausted. `-` says that nothing of it was executed: a map lacks what the
fault needs, or its documentation forbids it, or the time was over. A finding is told once a way, so the same mistake may
count in several rows; [findings.md](findings.md) says what each is.
END
awk '
    function text(name,   at, rest) {
        at = index($0, "\"" name "\":\"")
        if (!at) return ""
        rest = substr($0, at + length(name) + 4)
        return substr(rest, 1, index(rest, "\"") - 1)
    }
    function number(name,   at) {
        at = index($0, "\"" name "\":")
        return at ? substr($0, at + length(name) + 3) + 0 : 0
    }
    function grouped(n,   s, out) {
        s = sprintf("%.0f", n)
        while (length(s) > 3) { out = "," substr(s, length(s) - 2) out; s = substr(s, 1, length(s) - 3) }
        return s out
    }
    function count(written) { gsub(",", "", written); return written + 0 }
    function row(target, way) {
        if (!(target in seen)) { seen[target] = 1; targets[++ntargets] = target }
        if (!((target, way) in seen)) { seen[target, way] = 1; ways[target] = ways[target] "\n" way }
    }
    function column(target, family) {
        if (!((target, "of", family) in seen)) { seen[target, "of", family] = 1; families[target] = families[target] "\n" family }
    }
    # The first lines of an earlier page, without the last that are empty.
    FILENAME ~ /[.]md$/ && !target && !/^## / {
        if (!length($0)) { empty++; next }
        while (empty) { print ""; empty-- }
        print
    }
    FILENAME ~ /[.]md$/ && /^## / { target = substr($0, 4) }
    FILENAME ~ /[.]md$/ && / schedule points, .* of one core[.]$/ {
        all[target] = count($1); points[target] = count($3); cpu[target] = $6 * 60000
    }
    FILENAME ~ /[.]md$/ && /^\| \|/ {
        columns = split($0, cells, " *[|] *")
        for (i = 3; i < columns; i++) column(target, name[i] = cells[i])
    }
    FILENAME ~ /[.]md$/ && /^\| [a-z]/ {
        columns = split($0, cells, " *[|] *")
        row(target, way = cells[2])
        for (i = 3; i < columns; i++) {
            words = split(cells[i], word, "[ /]")
            if (words > 1) { executions[target, way, name[i]] = count(word[1]); interleavings[target, way, name[i]] = count(word[2]) }
            for (k = 3; k <= words; k++) {
                if (word[k] ~ /^!/) findings[target, way, name[i]] = substr(word[k], 2) + 0
                if (word[k] ~ /^=/) exhausted[target, way, name[i]] = substr(word[k], 2) + 0
            }
        }
    }
    /^\{"type":"family"/ {
        target = text("target"); family = text("family"); scheduler = text("scheduler")
        at = index($0, "\"faults\":[\"")
        way = scheduler == "portfolio" ? "no fault" : scheduler
        if (at) { rest = substr($0, at + 11); way = substr(rest, 1, index(rest, "\"") - 1) }
        row(target, way); column(target, family)
        executions[target, way, family] += number("executions")
        interleavings[target, way, family] += number("interleavings")
        findings[target, way, family] += number("findings")
        exhausted[target, way, family] += number("exhausted")
        all[target] += number("executions"); points[target] += number("schedule_points")
    }
    /^\{"type":"summary"/ {
        at = index($0, "\"targets\":[\"")
        rest = substr($0, at + 12)
        cpu[substr(rest, 1, index(rest, "\"") - 1)] += number("cpu_ms")
    }
    END {
        for (t = 1; t <= ntargets; t++) {
            target = targets[t]
            printf "\n## %s\n\n", target
            printf "%s executions, %s schedule points, %.1f minutes of one core.\n\n", grouped(all[target]), grouped(points[target]), cpu[target] / 60000
            nf = split(substr(families[target], 2), f, "\n")
            nw = split(substr(ways[target], 2), w, "\n")
            printf "| |"; for (i = 1; i <= nf; i++) printf " %s |", f[i]
            printf "\n|---|"; for (i = 1; i <= nf; i++) printf "--:|"
            printf "\n"
            for (j = 1; j <= nw; j++) {
                printf "| %s |", w[j]
                for (i = 1; i <= nf; i++) {
                    n = executions[target, w[j], f[i]]
                    if (!n) { printf " - |"; continue }
                    printf " %s/%s", grouped(n), grouped(interleavings[target, w[j], f[i]])
                    if (findings[target, w[j], f[i]]) printf " !%d", findings[target, w[j], f[i]]
                    if (exhausted[target, w[j], f[i]]) printf " =%d", exhausted[target, w[j], f[i]]
                    printf " |"
                }
                printf "\n"
            }
        }
    }
' "$@"
