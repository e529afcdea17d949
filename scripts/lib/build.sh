# Building with visible progress. Sourced after ui.sh.

# What tells cargo of another workspace than the node's: --manifest-path FILE.
workspace=()

# crates_to_build: how many crates the whole workspace is made of, for the progress line.
crates_to_build() { cargo tree --locked --workspace "${workspace[@]}" --prefix none -e normal,build 2>/dev/null | awk '{print $1 $2}' | sort -u | wc -l; }

# build WHAT NEXT CARGO-ARGUMENTS...: runs cargo and prints, every ten seconds, what is being compiled, how far it is
# and what comes next. The whole output goes to the log.
build() {
  local what=$1 next=$2 total done_ current pid rc=0 from=$SECONDS
  shift 2
  total=$(crates_to_build)
  step "$what  ${dim}(then: $next)${off}"
  local log
  log=$(mktemp)
  cargo "$@" >"$log" 2>&1 &
  pid=$!
  local last=$SECONDS told=0
  while kill -0 $pid 2>/dev/null; do
    sleep 0.5
    [ $((SECONDS - last)) -ge 10 ] || continue
    last=$SECONDS
    done_=$(grep -c '^ *\(Compiling\|Checking\) ' "$log" || true)
    current=$(grep '^ *\(Compiling\|Checking\|Building\) ' "$log" | tail -n 1 | awk '{print $2}' || true)
    note "$(printf '%3d of at most %d crates, now %s, %d s' "$done_" "$total" "${current:-resolving}" $((SECONDS - from)))"
    if [ "$current" = virtengine-runtime ] && [ $told = 0 ]; then
      told=1
      note "the runtime is being compiled to WebAssembly: 4-7 minutes the first time"
    fi
  done
  wait $pid || rc=$?
  cat "$log" >>"$ve_log"
  if [ $rc != 0 ]; then
    grep -A 12 -E '^(error|warning: unused)' "$log" | head -n 60 >&2
    die "cargo $1 failed" "the whole output is in $ve_log"
  fi
  rm -f "$log"
  note "done in $((SECONDS - from)) s"
}

# Where cargo puts what it builds (a user-level configuration may share one directory between checkouts).
target_dir() { cargo metadata --locked "${workspace[@]}" --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])'; }
