#!/usr/bin/env bash
# Everything that must hold, on a fresh machine: sets up, builds, tests, and closes with one summary.
#   scripts/test.sh            all of it
#   scripts/test.sh NAME...    only the named parts (see the list at the end)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh
export CARGO_TERM_COLOR=never RUST_BACKTRACE=1

summary=() reasons=() failed=0 passed=0 total_tests=0
# reason OUTPUT: which tests failed and where, in a few lines: the end of a run is what people are shown.
reason() {
  { grep -E '^ +(FAIL|TIMEOUT|SIG[A-Z]+|ABORT) \[' "$1" | sort -u
    grep -E -A 6 "^thread '.*' panicked" "$1"
    grep -E -A 6 '^(error|Error|test .* FAILED)' "$1"; } | cut -c1-200 | head -n 40 || true
}
# part NAME TITLE COMMAND...: runs a part, shows its output when it fails, and remembers how it went.
part() {
  local name=$1 title=$2 from=$SECONDS rc=0 out tests
  shift 2
  if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return 0; fi
  step "$title"
  out=$(mktemp)
  ("$@") >"$out" 2>&1 &
  local pid=$! last=$SECONDS
  while kill -0 $pid 2>/dev/null; do
    sleep 0.5
    if [ $((SECONDS - last)) -ge 20 ]; then
      last=$SECONDS
      note "$((SECONDS - from)) s: $(tail -n 1 "$out" | cut -c1-110)"
    fi
  done
  wait $pid || rc=$?
  cat "$out" >>"$ve_log"
  tests=$(awk '/^test result:/ {n += $4} /^ *Summary \[/ {sub(/.*: /, ""); n += $1} /^[0-9]+ passed, [0-9]+ failed/ {n += $1} END {print n + 0}' "$out")
  total_tests=$((total_tests + tests))
  if [ $rc = 0 ]; then
    passed=$((passed + 1))
    summary+=("$(printf 'passed  %-46s %5d tests %6d s' "$title" "$tests" $((SECONDS - from)))")
  else
    failed=$((failed + 1))
    summary+=("$(printf 'FAILED  %-46s %5d tests %6d s' "$title" "$tests" $((SECONDS - from)))")
    grep -E -A 25 '^(error|failures:|---- |thread .* panicked|  stderr ---)' "$out" | head -n 150 || true
    tail -n 25 "$out"
    reasons+=("$(reason "$out")")
  fi
  rm -f "$out"
}

# Both workspaces; the other one's lints and tests need candle, and are run by scripts/ml-bench.sh.
formatting() { cargo fmt --all --check && cargo fmt --manifest-path ml/training/Cargo.toml --check; }
documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps; }
lints() { cargo clippy --locked --workspace --all-targets -- -D warnings; }
# The features that only tooling uses: every benchmark runs once with its assertions, and the try-runtime hooks compile.
benchmarks() {
  SKIP_WASM_BUILD=1 cargo test --locked -p virtengine-runtime \
    -p pallet-accounts -p pallet-keyring -p pallet-providers -p pallet-escrow -p pallet-billing -p pallet-hpc \
    --features runtime-benchmarks,try-runtime --lib benchmark
}
scripts_parse() { for f in scripts/*.sh scripts/lib/*.sh .ci/run slurm-templates/*/*.sh; do bash -n "$f" || return 1; done; }
templates() { for t in slurm-templates/*/template.toml; do "$target/debug/ve" template check "$(dirname "$t")" || return 1; done; }
npm_ready() { command -v npm >/dev/null || die "npm was not found" "install Node.js 20 or newer"; }
stock_clients() { npm_ready && (cd tests/client && npm ci --silent --no-audit --no-fund) && bash tests/client/run.sh "$target/debug"; }
hpke_interop() { npm_ready && (cd offchain-workers/envelope/tests/interop && npm ci --silent --no-audit --no-fund) &&
  VE_INTEROP=1 cargo test --locked --workspace --test envelope interop; }

only=("$@")
scripts/setup.sh tests
. scripts/lib/ui.sh
target=$(target_dir)
part format    "formatting"                                  formatting
part scripts   "shell scripts parse"                         scripts_parse
build "building chain, worker and client" "the tests" build --locked --workspace
build "building the tests" "running them" test --locked --workspace --no-run
part templates "job templates pass their check"              templates
# How many run at once, and which first: .config/nextest.toml.
part tests     "unit, property and end-to-end tests"         cargo nextest run --locked --workspace --no-fail-fast
part doctests  "examples of the documentation"               cargo test --locked --workspace --doc
part interop   "HPKE against another implementation"         hpke_interop
part client    "stock clients: polkadot.js and smoldot"      stock_clients
part bench     "benchmark functions and try-runtime hooks"   benchmarks
part lints     "clippy without warnings"                     lints
part docs      "documentation without warnings"              documentation

echo
printf '%s\n' "${summary[@]}"
[ ${#reasons[@]} = 0 ] || printf '%s\n' "${reasons[@]}"
printf '        %d tests in %s; the whole output is in %s\n' "$total_tests" "$(clock)" "$ve_log"
echo "$total_tests passed, $failed failed"
[ $failed = 0 ]
