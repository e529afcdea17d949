#!/bin/sh
# Writes something, then goes wrong as told.
echo "started" >"$VE_OUTPUT_DIR/out.txt"
case "$VE_PARAM_how" in
  exit) exit 3 ;;
  memory) exec python3 -c 'import time; b = bytearray(600 << 20); b[::4096] = b"x" * len(b[::4096]); time.sleep(60)' ;;
  forever) while :; do sleep 1; done ;;
  stubborn) trap '' USR1 TERM; while :; do sleep 1; done ;;
  link) rm "$VE_OUTPUT_DIR/out.txt"; ln -s /etc/passwd "$VE_OUTPUT_DIR/out.txt" ;;
  secret) cat "$VE_INPUT_DIR/note.txt" >>"$VE_OUTPUT_DIR/out.txt"; cat "$VE_INPUT_DIR/note.txt" ;;
  tally)
    echo begin >>"$VE_PARAM_tally"
    second=0
    while [ "$second" -lt "$VE_PARAM_seconds" ]; do echo "second $second"; sleep 1; second=$((second + 1)); done
    echo end >>"$VE_PARAM_tally"
    ;;
esac
