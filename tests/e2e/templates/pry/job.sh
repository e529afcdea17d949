#!/bin/sh
# Keeps a secret as carelessly as it can, or does all it can to get at those of others.
report=$VE_OUTPUT_DIR/report.txt
if [ "$VE_PARAM_how" = keep ]; then
  umask 0
  echo "CANARY-of-a-customer" >secret.txt
  chmod -R 777 .
  echo kept >"$report"
  sleep "$VE_PARAM_seconds"
  exit 0
fi
own=$(cd ../.. && pwd)
pool=$(dirname "$own")
prefix=$(basename "${own%???}")
{
  echo "user $(id -un)"
  ls "$pool" && echo "FOUND the pool's directory can be listed"
  for n in 000 001 002; do
    other=$pool/$prefix$n
    [ "$other" = "$own" ] && continue
    ls "$other" && echo "FOUND $other can be listed"
    for job in 1 2 3 4; do
      cat "$other/${VE_HANDLE%-*}-$job/work/secret.txt" && echo "FOUND a secret in $other"
    done
    touch "$other/mark" && echo "FOUND $other can be written"
    ln -s "$other" "link-$n" && cat "link-$n/${VE_HANDLE%-*}-1/work/secret.txt" && echo "FOUND a secret through a link"
  done
  for environ in /proc/[0-9]*/environ; do
    [ -r "$environ" ] || continue
    tr '\0' '\n' <"$environ" | grep '^VE_HANDLE=' | grep -v "=$VE_HANDLE\$" && echo "FOUND the environment of another job"
  done
  squeue -h -a -o '%j %u' | grep -v "^$VE_HANDLE " && echo "FOUND somebody's job in the queue"
  sacct -n -X -a -P -S 2020-01-01 -o jobname,user | grep -v "^$VE_HANDLE|" && echo "FOUND somebody's job in accounting"
  for job in 1 2 3 4 5 6 7 8 9 10; do
    [ "$job" = "$SLURM_JOB_ID" ] && continue
    scancel "$job" && echo "scancel $job said nothing"
    scontrol update jobid="$job" timelimit=1 && echo "FOUND job $job can be changed"
  done
  for n in 000 001 002; do
    [ "$prefix$n" = "$(id -un)" ] && continue
    sbatch -A "$prefix$n" --wrap true && echo "FOUND account $prefix$n can be spent"
    sudo -n -u "$prefix$n" true && echo "FOUND $prefix$n can be impersonated"
  done
  sudo -n true && echo "FOUND root"
  echo done
} >"$report" 2>&1
exit 0
