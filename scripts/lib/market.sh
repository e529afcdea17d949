#!/usr/bin/env bash
# Makes a small market on a running development chain: Alice buys, Bob owns a provider with one cluster on this machine.
# Run by demo.sh and by the tests. Needs in the environment: VE_BIN (folder of the binaries), VE_MARKET_DIR (where
# everything goes), VE_URL (the node), VE_METRICS_PORT, VE_CLUSTER_CPUS. Writes ve.toml and worker.toml there.
# The provider reports and looks more often than it does by itself, unless VE_MARKET_SETTINGS says otherwise.
# Jobs are processes of this machine, unless a file scheduler.toml is there: what worker.toml says of another scheduler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/lib/ui.sh
dir=$VE_MARKET_DIR
export PATH=$VE_BIN:$PATH VE_CONFIG=$dir/ve.toml VE_PASSPHRASE=market
templates=${VE_MARKET_TEMPLATES:-$PWD/slurm-templates}
settings=${VE_MARKET_SETTINGS-$(printf '%s\n' 'usage_report_s = 5' 'log_s = 1' 'retention_s = 5' 'poll_s = 2')}
# Of the library, what every machine can run: the others want packages, several nodes or a real SLURM.
sold=(heat sweep checkpoint)
[ -z "${VE_MARKET_TEMPLATES:-}" ] || mapfile -t sold < <(basename -a "$VE_MARKET_TEMPLATES"/*/)

mkdir -p "$dir/artifacts"
cat >"$dir/ve.toml" <<TOML
url = "$VE_URL"
key = "alice"
artifacts = "file://$dir/artifacts"
templates = "$templates"
keystore = "$dir/keys"
TOML
cat >"$dir/worker.toml" <<TOML
[chain]
url = "$VE_URL"
[keys]
file = "$dir/worker.key"
[store]
path = "$dir/worker.db"
[artifacts]
url = "file://$dir/artifacts"
[templates]
dir = "$templates"
[metrics]
listen = "127.0.0.1:$VE_METRICS_PORT"
[provider]
$settings
[[provider.clusters]]
id = 1
work_dir = "$dir/jobs"
TOML
if [ -f "$dir/scheduler.toml" ]; then
  cat "$dir/scheduler.toml" >>"$dir/worker.toml"
else
  cat >>"$dir/worker.toml" <<TOML
scheduler = "local"
state_dir = "$dir/scheduler"
cpus = $VE_CLUSTER_CPUS
memory_mib = 4096
TOML
fi
cat >"$dir/plan.toml" <<'TOML'
minimum_charge = "0.0001VE"
[per_hour]
cpu = "0.5VE"
memory-gib = "0.1VE"
TOML

step "waiting for the chain"
for _ in $(seq 360); do
  ve clusters --json >/dev/null 2>&1 && break
  sleep 0.5
done
ve clusters --json >/dev/null || die "the chain does not answer on $VE_URL" "see the node's log in $dir"

# Alice's and Bob's steps do not wait for each other, and on a chain of one's own a block is as good as final.
export VE_INCLUDED=1
step "Alice makes a key and pays the worker's fees; Bob registers an organisation, prices and a cluster"
virtengine-worker key new --out "$dir/worker.key" --json >"$dir/worker.json"
worker=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["account"])' "$dir/worker.json")
if grep -q '^\[provider\.clusters\.pool\]' "$dir/worker.toml"; then
  virtengine-worker pool --apply --worker-user root --config "$dir/worker.toml" >"$dir/pool.log" 2>&1 ||
    { cat "$dir/pool.log" >&2; die "the pool could not be made" "see above"; }
  note "virtengine-worker pool made the users and accounts that jobs run as: $(grep -c 'bound to account' "$dir/pool.log") members"
fi
(
  ve key new alice --from-uri //Alice --register
  ve send "$worker" 10VE
  virtengine-worker key register --config "$dir/worker.toml"
) >"$dir/alice.log" 2>&1 &
alice=$!
ve key new bob --from-uri //Bob >"$dir/bob.log"
ve --key bob provider register "Bob's computers" --bond 200VE
ve --key bob provider hot-key add "$worker"
plan=$(ve --key bob --json plan publish "$dir/plan.toml" | python3 -c 'import json,sys; print(json.load(sys.stdin)["plan"])')
cat >"$dir/cluster.toml" <<TOML
name = "bobs-cluster"
max_open_jobs = 100
templates = [$(printf '"%s", ' "${sold[@]}")]
[[partitions]]
name = "main"
nodes = 1
cpus_per_node = $VE_CLUSTER_CPUS
memory_per_node = "4GiB"
max_walltime = "1h"
plan = $plan
TOML
ve --key bob cluster register "$dir/cluster.toml"
wait $alice || { cat "$dir/alice.log" >&2; die "Alice's steps failed" "see $dir/alice.log"; }
# Worker and client decide on final blocks only.
for _ in $(seq 60); do
  virtengine-worker check --config "$dir/worker.toml" >"$dir/check.log" 2>&1 &&
    ve --json clusters --template heat 2>/dev/null | grep -q '"cluster"' && exit 0
  sleep 0.5
done
cat "$dir/check.log" >&2
die "the worker's check fails" "see above"
