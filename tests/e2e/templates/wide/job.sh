#!/bin/sh
# SLURMD_NODENAME: several nodes may share a host.
exec srun --mpi=none --ntasks-per-node=1 sh -c 'echo "$SLURMD_NODENAME"' >"$VE_OUTPUT_DIR/nodes.txt"
