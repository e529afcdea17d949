#!/usr/bin/env bash
# The main job, end to end, on this machine: a development chain, a provider, a customer, one real computation.
#   scripts/demo.sh          leaves the chain running and says what to try next
#   scripts/demo.sh --once   stops everything at the end
#   scripts/demo.sh --slurm  on a real SLURM that it starts itself, out of Debian's packages; needs root
#   scripts/demo.sh --stop   stops what an earlier demo left running, and removes its SLURM; its results stay
# VE_BIN=FOLDER: the binaries are there; nothing is set up and nothing is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh
. scripts/lib/slurm.sh
exec 2>&1 # what it says and what goes wrong, in order
once=0 slurm=0 only_stop=0
for argument in "$@"; do
  case $argument in
    --once) once=1 ;;
    --slurm) slurm=1 ;;
    --stop) only_stop=1 ;;
    *) die "unknown argument: $argument" "usage: scripts/demo.sh [--slurm] [--once] | --stop" ;;
  esac
done
[ $slurm = 0 ] || [ "$(id -u)" = 0 ] ||
  die "only root can make the users that SLURM's daemons and customers' jobs run as" \
    "build as yourself, then: sudo VE_BIN=TARGET/debug scripts/demo.sh --slurm"

if [ $only_stop = 0 ] && [ -z "${VE_BIN:-}" ]; then
  scripts/setup.sh
  . scripts/lib/ui.sh
  build "building the chain, the worker and the client" "starting a development chain" build --locked --workspace
  VE_BIN=$(target_dir)/debug
fi
export VE_BIN PATH=${VE_BIN:+$VE_BIN:}$PATH

dir=${VE_DEMO_DIR:-demo}
# Processes of this demo, or of the one that ran here before: numbers are given to others after a while.
stop() {
  local pid place
  while read -r pid; do
    if grep -qs virtengine "/proc/$pid/cmdline"; then kill "$pid" 2>/dev/null || true; fi
  done <"$dir/pids"
  place=$(readlink "$dir/slurm") || return 0
  VE_SLURM_HOME=$place/cluster bash scripts/slurm-cluster.sh wipe >>"$dir/slurm.log" 2>&1 || true
  remove_pool "$place/pool"
  rm -rf "$place" "$dir/slurm"
}
if [ $only_stop = 1 ]; then
  [ -f "$dir/pids" ] || die "there is no demo in $dir" "name its folder: VE_DEMO_DIR=FOLDER scripts/demo.sh --stop"
  [ ! -L "$dir/slurm" ] || [ "$(id -u)" = 0 ] || die "its SLURM is root's to remove" "sudo scripts/demo.sh --stop"
  stop
  step "stopped; what it computed is still in $dir"
  exit 0
fi
if [ -f "$dir/pids" ]; then
  stop
  # They leave their ports when they have ended.
  for _ in $(seq 40); do
    grep -qs virtengine /dev/null $(sed 's|.*|/proc/&/cmdline|' "$dir/pids") || break
    sleep 0.25
  done
elif [ -n "$(ls -A "$dir" 2>/dev/null)" ]; then
  die "$dir is not empty, and not from a demo" "choose another folder: VE_DEMO_DIR=FOLDER scripts/demo.sh"
fi
rm -rf "$dir" && mkdir -p "$dir"
touch "$dir/pids"
full=$(cd "$dir" && pwd)
# Not a job of this shell, so that it may be killed without a word from it.
background() { "$@" & echo $! >>"$dir/pids"; disown; }
preview=()
[ -t 1 ] && preview=(--preview)
port=${VE_DEMO_PORT:-9944}
(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null &&
  die "port $port is taken" "stop what listens there, or choose another: VE_DEMO_PORT=9950 scripts/demo.sh"
trap 'rc=$?; [ $rc = 0 ] && [ $once = 0 ] || stop; exit $rc' EXIT

step "starting a development chain on port $port"
background virtengine-node --dev --base-path "$dir/chain" --rpc-port "$port" --prometheus-port $((port + 1)) \
  --listen-addr /ip4/127.0.0.1/tcp/$((port + 2)) --no-telemetry --no-mdns --no-hardware-benchmarks >"$dir/node.log" 2>&1
export VE_MARKET_DIR=$full VE_URL=ws://127.0.0.1:$port VE_METRICS_PORT=$((port + 3)) VE_CLUSTER_CPUS=4
export VE_CONFIG=$full/ve.toml VE_PASSPHRASE=market

if [ $slurm = 1 ]; then
  step "starting a SLURM cluster of one node"
  # Not in $dir: SLURM's daemons and the jobs' users must be able to go there.
  place=$(mktemp -dt virtengine-demo-XXXXXX)
  ln -s "$place" "$dir/slurm"
  chmod 711 "$place"
  install -D -t "$place/bin" "$VE_BIN/virtengine-worker"
  export SLURM_CONF=$place/cluster/etc/slurm.conf
  # Gone with this script, whatever ends it.
  [ $once = 0 ] || export VE_SLURM_WITH=$$
  VE_SLURM_HOME=$place/cluster VE_SLURM_PORT=$((port + 10)) VE_SLURM_CLUSTER=demo VE_SLURM_POOL=0 VE_SLURM_NODES=1 \
    VE_SLURM_CPUS=$VE_CLUSTER_CPUS VE_SLURM_MEM=4096 bash scripts/slurm-cluster.sh up >"$dir/slurm.log" 2>&1 ||
    { tail "$dir/slurm.log"; die "SLURM did not start" "see $full/slurm.log"; }
  cat >"$dir/scheduler.toml" <<TOML
scheduler = "slurm-cli"
slurm_conf = "$SLURM_CONF"
[provider.clusters.pool]
users = "ve-demo$port-"
size = 2
dir = "$place/pool"
worker_program = "$place/bin/virtengine-worker"
TOML
fi

bash scripts/lib/market.sh

run() { printf '\n%s$ %s%s\n' "$bold" "$*" "$off"; "$@"; }
worker() { background virtengine-worker run --config "$dir/worker.toml" >>"$dir/worker.log" 2>&1; worker_pid=$(tail -n 1 "$dir/pids"); }
step "starting the provider's worker"
worker

run ve clusters --cores 2 --time 10m
run ve quote heat -p steps=4000 -n 2 --time 5m
run ve run heat -p steps=4000 -n 2 --time 5m --in slurm-templates/heat/example/mesh.dat --max 2VE
job=$(ve jobs --json | python3 -c 'import json,sys; print(max(j["job"] for j in json.load(sys.stdin)))')

step "waiting until job $job runs, then killing the worker (kill -9)"
while :; do
  state=$(ve job "$job" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["state"])')
  case $state in
    assigned | accepted | staging | queued) sleep 0.5 ;;
    running) break ;;
    *) die "job $job is $state before it was seen to run" "see $full/worker.log" ;;
  esac
done
kill -9 "$worker_pid"
note "the worker is gone; the job goes on, its money is held, nobody is charged twice"
run ve money "$job"
sleep 2
step "starting the worker again"
worker
run ve wait "$job"
run ve job "$job"
run ve get "$job" -o "$dir/out" "${preview[@]}"
note "the picture is $dir/out/heat.png"
run ve money "$job"

step "waiting for the dispute window, then the money is final"
until [ "$(ve money "$job" --json | python3 -c 'import json,sys; print(int(json.load(sys.stdin)["pending"]["units"]))')" = 0 ]; do sleep 1; done
run ve money "$job"

month=$(date -u +%Y-%m)
run ve invoice show "$month"
[ $slurm = 0 ] || TZ=UTC run sacct -a -X -S now-1hours -o JobName%20,User%16,State,Start,End,ElapsedRaw,AllocTRES%40
ve invoice show "$month" -o "$dir/invoice.json"
run ve invoice verify "$month" --line 1 --file "$dir/invoice.json"
step "changing one digit of line 1"
python3 - "$dir" <<'PY'
import re, sys
text = open(sys.argv[1] + "/invoice.json").read()
at = re.search(r'"amount"\s*:\s*"?(\d)', text)
digit = str(int(at.group(1)) % 9 + 1)  # never a leading zero, which is refused in other words
open(sys.argv[1] + "/forged.json", "w").write(text[:at.start(1)] + digit + text[at.end(1):])
PY
if run ve invoice verify "$month" --line 1 --file "$dir/forged.json"; then die "the forged invoice passed" "this is a bug: please report it"; fi

printf '\n'
step "done"
if [ $once = 1 ]; then exit 0; fi
cat <<TEXT

The chain and the worker go on running. Try next:
  export VE_CONFIG=$VE_CONFIG VE_PASSPHRASE=market PATH=$VE_BIN:\$PATH
  ve run sweep --array 4 --wait
Open polkadot.js apps with the node ws://127.0.0.1:$port to see every call, event and hold.
Stop everything:  VE_DEMO_DIR=$full scripts/demo.sh --stop
TEXT
if [ $slurm = 1 ]; then
  echo "SLURM's commands: export SLURM_CONF=$SLURM_CONF"
fi
