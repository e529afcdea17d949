#!/bin/sh
set -eu
mv "$VE_INPUT_DIR/words.txt" "$VE_OUTPUT_DIR/words.txt"
