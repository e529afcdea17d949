#!/bin/sh
set -eu
command -v cc >/dev/null || {
  echo "this node has no C compiler: its provider has to install one (Debian: gcc libc6-dev)" >&2
  exit 69
}
cc -std=c11 -O3 -fopenmp -o "$VE_WORK_DIR/flow" "$VE_PROGRAM_DIR/flow.c" -lm
# A thread that waits for the others gives its processor away.
OMP_NUM_THREADS=$VE_CPUS OMP_WAIT_POLICY=passive "$VE_WORK_DIR/flow" "$VE_PARAM_height" "$VE_PARAM_steps" "$VE_PARAM_reynolds" \
  "$VE_WORK_DIR/vorticity" "$VE_WORK_DIR/forces.csv"
exec python3 -I -B "$VE_PROGRAM_DIR/results.py"
