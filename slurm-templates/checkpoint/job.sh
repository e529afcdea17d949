#!/bin/sh
# The program takes the place of the shell, so that the warning signal reaches it.
set -eu
exec python3 -I -B "$VE_PROGRAM_DIR/primes.py"
