#!/bin/sh
set -eu
echo "begin $VE_TASK_ID"
echo run >> "$VE_CHECKPOINT_DIR/runs-$VE_TASK_ID"
cp "$VE_INPUT_DIR/words.txt" "$VE_OUTPUT_DIR/words-$VE_TASK_ID.txt"
ln -sf /etc/hostname "$VE_OUTPUT_DIR/words-link.txt"
sleep "$VE_PARAM_seconds"
echo "end $VE_TASK_ID"
exit "$VE_PARAM_status"
