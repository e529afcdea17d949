#!/usr/bin/env bash
# Runs every command of providers-guide.md, in order and as it is written, against a development chain and a real SLURM
# that it starts itself, and checks that a job was run and billed.
#   VE_BIN=FOLDER docs/run-guide.sh    FOLDER has virtengine-node, virtengine-worker and ve
# Needs root, Debian's SLURM (it is installed if it is missing), and about three minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${VE_BIN:?give the folder of the binaries}"
VE_BIN=$(cd "$VE_BIN" && pwd)
repository=$PWD port=${GUIDE_PORT:-28000}
dir=$(mktemp -d /var/tmp/ve-guide-XXXXXX)
# SLURM's users and the pool's members pass through.
chmod 711 "$dir"
export PATH=$VE_BIN:$PATH VE_SLURM_HOME=$dir/slurm VE_SLURM_PORT=$port
pids=()
finish() {
  local rc=$? pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  # The guide's own worker is no child of this shell.
  for pid in $(pgrep -f "virtengine-worker run --config worker.toml" || true); do
    if [ "$(readlink "/proc/$pid/cwd")" = "$dir/guide" ]; then kill "$pid" 2>/dev/null || true; fi
  done
  bash "$repository/scripts/slurm-cluster.sh" wipe >>"$dir/slurm.log" 2>&1 || true
  if [ $rc = 0 ]; then rm -rf "$dir"; else echo "failed; what it left is in $dir" >&2; fi
}
trap finish EXIT

bash scripts/slurm-cluster.sh up >"$dir/slurm.log" 2>&1 || { cat "$dir/slurm.log" >&2; exit 1; }
virtengine-node --dev --base-path "$dir/chain" --rpc-port $((port + 50)) --prometheus-port $((port + 51)) \
  --listen-addr /ip4/127.0.0.1/tcp/$((port + 52)) --no-telemetry --no-mdns --no-hardware-benchmarks >"$dir/node.log" 2>&1 &
pids+=($!)

export VE_URL=ws://127.0.0.1:$((port + 50)) VE_TEMPLATES=$repository/slurm-templates SLURM_CONF=$dir/slurm/etc/slurm.conf
export GUIDE_POOL=$dir/pool GUIDE_PROGRAM=$dir/bin/virtengine-worker GUIDE_PARTITION=main GUIDE_METRICS_PORT=$((port + 53))
mkdir "$dir/guide" "$dir/bin"
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' docs/providers-guide.md >"$dir/commands.sh"
cd "$dir/guide"
for _ in $(seq 240); do
  ve --url "$VE_URL" clusters --json >/dev/null 2>&1 && break
  sleep 0.5
done
began=$SECONDS
bash -euo pipefail "$dir/commands.sh" 2>&1 | tee "$dir/guide.log"
grep -q 'the invoice holds' "$dir/guide.log" || { echo "error: no invoice was verified" >&2; exit 1; }
[ -s result/magnet.json ] || { echo "error: the job's result is missing" >&2; exit 1; }
echo "every command of the guide worked, in $((SECONDS - began)) s"
