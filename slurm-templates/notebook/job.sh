#!/bin/sh
set -eu
unavailable() { echo "this node has no $1: its provider has to install it (Debian: $2)" >&2; exit 69; }
command -v jupyter-notebook >/dev/null || unavailable "Jupyter notebook" "jupyter-notebook python3-ipykernel"
command -v openssl >/dev/null || unavailable openssl openssl
exec python3 -I -B "$VE_PROGRAM_DIR/notebook.py"
