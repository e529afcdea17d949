#!/bin/sh
set -eu
python3 -I -c 'import venv, ensurepip' 2>/dev/null || {
  echo "this node's Python cannot make environments: its provider has to complete it (Debian: python3-venv)" >&2
  exit 69
}
exec python3 -I -B "$VE_PROGRAM_DIR/environment.py"
