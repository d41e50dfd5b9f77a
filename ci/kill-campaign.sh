#!/usr/bin/env bash
# Kills campaigns at random moments, resumes them, and holds what they find against an undisturbed run's.
#
#   ci/kill-campaign.sh [KILLS]     100 unless given
#
# Exit code 0: nothing was lost.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
KILLS="${1:-100}" exec cargo test --quiet --package mapcheck-tests --test kills -- --nocapture
