#!/usr/bin/env bash
# The main job, end to end, on this machine: a development chain, a provider, a customer, one real computation.
#   scripts/demo.sh          leaves the chain running and says what to try next
#   scripts/demo.sh --once   stops everything at the end
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh
exec 2>&1 # what it says and what goes wrong, in order
once=0
case "${1:-}" in
  --once) once=1 ;;
  "") ;;
  *) die "unknown argument: $1" "usage: scripts/demo.sh [--once]" ;;
esac

scripts/setup.sh
. scripts/lib/ui.sh
build "building the chain, the worker and the client" "starting a development chain" build --locked --workspace
export VE_BIN
VE_BIN=$(target_dir)/debug
export PATH=$VE_BIN:$PATH

dir=${VE_DEMO_DIR:-demo}
[ -f "$dir/pids" ] && while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$dir/pids"
rm -rf "$dir" && mkdir -p "$dir"
full=$(cd "$dir" && pwd)
stop() { while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$dir/pids"; }
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
until [ "$(ve job "$job" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["state"])')" = running ]; do sleep 0.5; done
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
ve invoice show "$month" -o "$dir/invoice.json"
run ve invoice verify "$month" --line 1 --file "$dir/invoice.json"
step "changing one digit of line 1"
python3 - "$dir" <<'PY'
import re, sys
text = open(sys.argv[1] + "/invoice.json").read()
at = re.search(r'"amount"\s*:\s*"?(\d)', text)
digit = str((int(at.group(1)) + 1) % 10)
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
Stop everything:  xargs kill < $full/pids
TEXT
