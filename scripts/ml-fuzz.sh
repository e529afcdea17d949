#!/usr/bin/env bash
# Damages the artefacts of the inference engine for a while: nothing may panic, hang, or take more memory than it should.
#   scripts/ml-fuzz.sh [SECONDS]    600 by default, from a new seed; a failure names the case that repeats it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh
seconds=${1:-600}
case "$seconds" in *[!0-9]* | '') die "$seconds is no number of seconds" "scripts/ml-fuzz.sh 600" ;; esac

# Every test of this name: the parts of ml/ that read strangers' bytes each have one.
build "building the fuzz tests" "running them for $seconds s each" test --locked --workspace --test fuzz --no-run
VE_FUZZ_SECONDS=$seconds cargo test --locked --workspace --test fuzz -- --nocapture
