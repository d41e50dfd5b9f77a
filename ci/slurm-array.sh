#!/usr/bin/env bash
# A campaign as a job array of Slurm: each job is a shard. Submit it from the checkout:
#
#   sbatch --array=1-8 ci/slurm-array.sh TARGET…
#
# A job that is preempted or runs out of time is ended by a signal, saves what it has, and goes on when it is submitted
# again with the same array. Results: mapcheck.out/shard-I-of-N; docs/campaigns.md says how to put them together.
#SBATCH --time=04:00:00
#SBATCH --cpus-per-task=4
#SBATCH --requeue
#SBATCH --signal=TERM@120
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-$(dirname "${BASH_SOURCE[0]}")/..}"
[ $# -gt 0 ] || { echo "error: name the targets" >&2; exit 1; }

shard="${SLURM_ARRAY_TASK_ID:-1}" shards="${SLURM_ARRAY_TASK_COUNT:-1}"
code=0
# In the background, so that the signal can be handed on. Code 2 is a finding, and no failure of the job.
cargo mapcheck check "$@" --keep-going --executions "${EXECUTIONS:-10000000}" \
    --workers "${SLURM_CPUS_PER_TASK:-1}" --shard "$shard/$shards" \
    --add --out "mapcheck.out/shard-$shard-of-$shards" --format json &
pid=$!
trap 'kill -TERM "$pid" 2>/dev/null' TERM INT
while kill -0 "$pid" 2>/dev/null; do wait "$pid" && code=0 || code=$?; done
case "$code" in 0 | 2 | 3) ;; *) exit "$code" ;; esac
