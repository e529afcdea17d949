#!/usr/bin/env bash
# Starts a development chain with a finished job on it and lets two stock clients loose: polkadot.js and smoldot.
#   tests/client/run.sh DIRECTORY-OF-BINARIES
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export VE_BIN=$1 PATH=$1:$PATH
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$dir"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port) ws=/ip4/127.0.0.1/tcp/$(free_port)/ws
virtengine-node --dev --tmp --rpc-port "$port" --listen-addr "$ws" --no-prometheus --no-telemetry --no-mdns --no-hardware-benchmarks >"$dir/node.log" 2>&1 &
pids+=($!)
export VE_MARKET_DIR=$dir VE_URL=ws://127.0.0.1:$port VE_METRICS_PORT=$((port + 1)) VE_CLUSTER_CPUS=4
export VE_CONFIG=$dir/ve.toml VE_PASSPHRASE=market
bash scripts/lib/market.sh
virtengine-worker run --config "$dir/worker.toml" >"$dir/worker.log" 2>&1 &
pids+=($!)
ve run heat -p steps=50 -n 1 --time 5m --in slurm-templates/heat/example/mesh.dat --max 2VE --wait
job=$(ve jobs --json | python3 -c 'import json,sys; print(max(j["job"] for j in json.load(sys.stdin)))')
kill "${pids[1]}"; wait "${pids[1]}" 2>/dev/null || true
node tests/client/stock-client.mjs "$VE_URL" "$job"
# The light client knows the raw spec and one bootnode, nothing else.
virtengine-node export-chain-spec --chain dev --raw --output "$dir/raw.json"
node tests/client/light-client.mjs "$VE_URL" "$ws" "$dir/raw.json" "$job"
