#!/bin/sh
set -eu
command -v gmx >/dev/null || {
  echo "this node has no GROMACS: its provider has to install it (Debian: gromacs)" >&2
  exit 69
}
exec python3 -I -B "$VE_PROGRAM_DIR/water.py"
