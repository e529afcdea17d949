#!/bin/sh
set -eu
exec python3 -I -B "$VE_PROGRAM_DIR/gpu.py"
