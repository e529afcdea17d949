#!/usr/bin/env bash
# Damages what strangers send to the parts of ml/ for a while: nothing may panic, hang, or take more memory than it should.
#   scripts/ml-fuzz.sh [SECONDS]    120 by default for each of five targets, always from new seeds; a failure prints what
#                                   repeats it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh
seconds=${1:-120}
case "$seconds" in *[!0-9]* | '') die "$seconds is no number of seconds" "scripts/ml-fuzz.sh 120" ;; esac
# Cases of a round, for properties that do not set their own number.
export PROPTEST_CASES=128
# Seconds after which a round hangs, and KiB of address space that it may take: cargo's and what is mapped and never touched
# beside the 256 MiB that a verifier may have resident.
hang=$((seconds + 600)) memory=1048576

# fuzz WHAT PACKAGE TARGET TESTS...: rounds of a target's property tests, each with new cases, until the time is up.
fuzz() {
  local what=$1 package=$2 target=$3 end rounds=0 rc=0
  shift 3
  build "$what: building" "running it for $seconds s" test --locked -p "$package" $target --no-run
  end=$((SECONDS + seconds))
  while [ $SECONDS -lt $end ]; do
    (ulimit -v $memory; exec timeout $hang cargo test --quiet --locked -p "$package" $target -- --test-threads 1 "$@") >"$work/round" 2>&1 || rc=$?
    if [ $rc != 0 ]; then
      cat "$work/round"
      [ $rc != 124 ] || die "$what: a round took longer than $hang s" "which test it was stands above"
      die "$what failed in round $((rounds + 1))" "the case stands above: keep it as a test"
    fi
    rounds=$((rounds + 1))
  done
  note "$rounds rounds, none panicked, hung or took too much memory"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
VE_FUZZ_SECONDS=$seconds fuzz "artefact parser" ve-ml-engine "--test fuzz"
fuzz "picture decoder" ve-ml-pipeline "--test pipeline" decode::decoder
fuzz "machine-readable zone" ve-ml-mrz "--test mrz" properties pictures::rows pictures::quadrilaterals
fuzz "barcode and AAMVA" ve-ml-barcode "--lib" not_panic refused_when_a_code_is_damaged
fuzz "whole pipeline" ve-ml-pipeline "--test pipeline" evidence::outcome
