#!/bin/sh
set -eu
unavailable() { echo "this node has no $1: its provider has to install it on all nodes (Debian: $2)" >&2; exit 69; }
command -v mpirun >/dev/null || unavailable mpirun openmpi-bin
/usr/bin/env python3 -I -c 'import mpi4py, numpy' 2>/dev/null || unavailable mpi4py python3-mpi4py

# mpirun starts its daemons on the other nodes by srun, which passes no environment on in a job whose own is clean.
export SLURM_EXPORT_ENV=ALL
# One process for each processor, however these were asked for: SLURM counts tasks, which may have several each.
if [ -n "${SLURM_JOB_CPUS_PER_NODE:-}" ]; then
  export SLURM_TASKS_PER_NODE="$SLURM_JOB_CPUS_PER_NODE"
  unset SLURM_CPUS_PER_TASK
fi
# One thread each: numpy's own threads would fight over the processors.
export OMP_NUM_THREADS=1
# TCP also within a node: messages are small, and shared memory would need /dev/shm to be large and private to the node.
export OMPI_MCA_btl=self,tcp
# A process that waits for another gives its processor away, should there be fewer than processes.
export OMPI_MCA_mpi_yield_when_idle=1
exec mpirun -n "$VE_CPUS" --map-by node --bind-to none python3 -I -B "$VE_PROGRAM_DIR/patterns.py"
