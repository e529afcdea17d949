#!/bin/sh
# As many as it is let. The first of them submits the next, for ever, once the others have been counted.
set -u
SLURM_CONF=$(cat "$VE_INPUT_DIR/words.txt")
export SLURM_CONF
one='sbatch -n 1 -t 5 -D / -o /dev/null'
again="sleep 1; until printf '#!/bin/sh\n%s\n' \"\$again\" | $one; do sleep 0.1; done"
export again
counted="until [ -e '$VE_OUTPUT_DIR/taken.txt' ]; do sleep 0.1; done"
printf '#!/bin/sh\n%s\n%s\n' "$counted" "$again" | $one && taken=1
for _ in $(seq 50); do
    $one --wrap 'sleep 300' && taken=$((taken + 1))
done
echo "$taken" >"$VE_OUTPUT_DIR/taken.txt"
sleep 2
# And it would rather not be paid for.
scancel "$SLURM_JOB_ID"
sleep 60
