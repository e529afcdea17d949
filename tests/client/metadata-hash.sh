#!/usr/bin/env bash
# Lets an offline signer loose on a release build, one with the feature `metadata-hash`:
#   cargo build --locked --profile production --features virtengine-runtime/metadata-hash -p virtengine-node
#   tests/client/metadata-hash.sh target/production/virtengine-node
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
dir=$(mktemp -d)
trap 'kill "$node" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$dir"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$1" --dev --tmp --rpc-port "$port" --no-prometheus --no-telemetry --no-mdns --no-hardware-benchmarks >"$dir/node.log" 2>&1 &
node=$!
for _ in $(seq 120); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$node" 2>/dev/null || { cat "$dir/node.log" >&2; exit 1; }
  sleep 0.5
done
node tests/client/metadata-hash.mjs "ws://127.0.0.1:$port"
