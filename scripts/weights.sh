#!/usr/bin/env bash
# Measures the weight of every call and writes runtime/solo/src/weights/. Takes about an hour on two idle cores; the
# files are committed, so neither the demo nor the tests need it.
#   scripts/weights.sh [PALLET...]      STEPS=10 REPEAT=5 for a quick look
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh
version=0.28.0 # of the same polkadot-sdk release as Cargo.toml
scripts/setup.sh
. scripts/lib/ui.sh

tools=${XDG_CACHE_HOME:-$HOME/.cache}/virtengine-tools
bencher=$tools/bin/frame-omni-bencher
if ! [ -x "$bencher" ] || ! "$bencher" --version | grep -q "$version"; then
  step "building frame-omni-bencher $version, once (about 30 minutes)"
  CARGO_TARGET_DIR=$tools/target cargo install frame-omni-bencher --version "$version" --locked --root "$tools" 2>&1 | tail -n 1
fi
build "building the runtime with its benchmarks" "measuring" \
  build --locked -p virtengine-runtime --features runtime-benchmarks
wasm=$(target_dir)/debug/wbuild/virtengine-runtime/virtengine_runtime.wasm

pallets=("$@")
if [ ${#pallets[@]} = 0 ]; then
  mapfile -t pallets < <("$bencher" v1 benchmark pallet --runtime "$wasm" --list=pallets --no-csv-header 2>/dev/null | sort -u)
fi
for pallet in "${pallets[@]}"; do
  step "measuring $pallet"
  file=runtime/solo/src/weights/$(echo "$pallet" | sed 's/::/_/g').rs
  "$bencher" v1 benchmark pallet --runtime "$wasm" --genesis-builder=runtime --genesis-builder-preset=development \
    --pallet "$pallet" --extrinsic '*' --steps "${STEPS:-50}" --repeat "${REPEAT:-20}" \
    --output "$file" >>"$ve_log" 2>&1 || die "measuring $pallet failed" "see $ve_log"
  # The command line names folders of this machine.
  sed -i '/^\/\/ Executed Command:/,/^$/d' "$file"
done
step "done: look at the difference, then commit runtime/solo/src/weights"
