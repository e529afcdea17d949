#!/usr/bin/env bash
# Runs every command of providers-guide.md, in order and as it is written, against a development chain and a real SLURM
# that it starts itself, and checks that a job was run, billed and paid. Leaves nothing behind unless a command fails.
#   VE_BIN=FOLDER docs/run-guide.sh    FOLDER has virtengine-node, virtengine-worker and ve
#   GUIDE_PORT=PORT                    the first of 24 free ports, and part of the pool's users' names [18000]
# Needs root, Debian's SLURM (it is installed if it is missing), and about three minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${VE_BIN:?give the folder of the binaries}"
VE_BIN=$(cd "$VE_BIN" && pwd)
. scripts/lib/slurm.sh
[ "$(id -u)" = 0 ] || { echo "error: only root can start a SLURM with several users; run: sudo VE_BIN=$VE_BIN $0" >&2; exit 1; }
repository=$PWD port=${GUIDE_PORT:-18000}
dir=$(mktemp -d /var/tmp/ve-guide-XXXXXX)
# SLURM's users and the pool's members pass through.
chmod 711 "$dir"
# The cluster goes with this script, whatever ends it.
export PATH=$VE_BIN:$PATH VE_SLURM_HOME=$dir/slurm VE_SLURM_PORT=$port VE_SLURM_POOL=0 VE_SLURM_WITH=$$
node=
finish() {
  local rc=$? pid
  # The guide's own worker is no child of this shell.
  for pid in $node $(pgrep -f "virtengine-worker run --config worker.toml" || true); do
    if [[ "$(readlink "/proc/$pid/cwd")" = "$dir"/* ]]; then kill "$pid" && tail --pid="$pid" -f /dev/null; fi
  done
  bash "$repository/scripts/slurm-cluster.sh" wipe >>"$dir/slurm.log" 2>&1 || true
  remove_pool "$dir/pool"
  if [ $rc = 0 ]; then rm -rf "$dir"; else echo "failed; what it left is in $dir" >&2; fi
}
trap finish EXIT

bash scripts/slurm-cluster.sh up >"$dir/slurm.log" 2>&1 || { cat "$dir/slurm.log" >&2; exit 1; }
mkdir "$dir/guide" "$dir/bin"
cd "$dir/guide"
virtengine-node --dev --base-path "$dir/chain" --rpc-port $((port + 20)) --prometheus-port $((port + 21)) \
  --listen-addr /ip4/127.0.0.1/tcp/$((port + 22)) --no-telemetry --no-mdns --no-hardware-benchmarks >"$dir/node.log" 2>&1 &
node=$!

export VE_URL=ws://127.0.0.1:$((port + 20)) VE_TEMPLATES=$repository/slurm-templates SLURM_CONF=$dir/slurm/etc/slurm.conf
export GUIDE_POOL=$dir/pool GUIDE_PROGRAM=$dir/bin/virtengine-worker GUIDE_PARTITION=main GUIDE_METRICS_PORT=$((port + 23))
export GUIDE_USERS=ve-guide$port-
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' \
  "$repository/docs/providers-guide.md" >"$dir/commands.sh"
for _ in $(seq 240); do
  ve --url "$VE_URL" clusters --json >/dev/null 2>&1 && break
  sleep 0.5
done
began=$SECONDS
bash -euo pipefail "$dir/commands.sh" 2>&1 | tee "$dir/guide.log"
grep -q 'the invoice holds' "$dir/guide.log" || { echo "error: no invoice was verified" >&2; exit 1; }
[ -s result/magnet.json ] || { echo "error: the job's result is missing" >&2; exit 1; }
took=$((SECONDS - began))
[ $took -lt 900 ] || { echo "error: the guide promises 15 minutes, and it took $took s" >&2; exit 1; }
echo "every command of the guide worked; from an existing SLURM to the first paid job: $took s"
