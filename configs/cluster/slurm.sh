#!/bin/bash
# Trains on a SLURM cluster, one task a GPU (or one a node, on CPUs): sbatch configs/cluster/slurm.sh
#
# The folders must be on a file system that all nodes see. Before its time is up or when it is preempted the job gets
# SIGTERM, saves and ends with 143; then, as after a node that failed, SLURM puts it into the queue again, and it goes on
# from its last checkpoint, on as many nodes as it is given then.
#SBATCH --job-name=oyster
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@180
set -euo pipefail

config=${OYSTER_CONFIG:-configs/base.py}
run=${OYSTER_RUN:-$SLURM_SUBMIT_DIR/runs/$SLURM_JOB_NAME}
mesh=${OYSTER_MESH:---mesh.fsdp 8}

# A task that fails ends the others at once: they would wait for it.
code=0
# shellcheck disable=SC2086  # the mesh is several words
srun --kill-on-bad-exit=1 --cpu-bind=cores .venv/bin/oyster train "$config" --run "$run" $mesh || code=$?

# 2 is a mistake in what was asked, which trying again does not mend.
if [ "$code" -ne 0 ] && [ "$code" -ne 2 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
