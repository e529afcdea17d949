#!/bin/sh
# Step two begins only if step one succeeded, and finds its table in the job's own directory.
set -eu
echo "step 1 of 2: simulate"
python3 -I -B "$VE_PROGRAM_DIR/simulate.py"
echo "step 2 of 2: analyse"
exec python3 -I -B "$VE_PROGRAM_DIR/analyse.py"
