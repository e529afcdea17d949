#!/usr/bin/env bash
# Prints ratios of this machine: what the market costs on top of its parts. About ten minutes after the build; nothing
# is asserted. Needs an otherwise idle machine, or the figures say little. As root it starts a real SLURM for one part, and
# draws how queue and latency went in bench/slurm-*.svg.
#   scripts/bench.sh                          a table
#   scripts/bench.sh --json >figures.json     the same for programs; progress goes to standard error
#   scripts/bench.sh --open 500 --orders 20   see scripts/bench.sh --help
#   VE_PROFILE=production scripts/bench.sh    the profile of releases: the figures to quote, after a long build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh
profile=${VE_PROFILE:-dev}
case "$profile" in
  dev) folder=debug ;;
  *[!a-z0-9_-]* | '') die "VE_PROFILE=$profile is no name of a cargo profile" "leave it out, or use production" ;;
  *) folder=$profile ;;
esac

{
  scripts/setup.sh
  . scripts/lib/ui.sh
  build "building the chain, the worker, the client and the benchmark ($profile)" "measuring, about ten minutes" \
    build --locked --workspace --profile "$profile"
} >&2
exec "$(target_dir)/$folder/virtengine-bench" "$@"
