#!/usr/bin/env bash
# Measures the networks of ml/models: one bit pattern of them and of the pipeline's stages in every executor, the cost
# inside the node's executor, and error rates and time beside onnxruntime. Needs the package index, about half an hour
# after the build, and an otherwise idle machine for the times.
#   scripts/ml-bench.sh                  known answers, costs, times
#   scripts/ml-bench.sh FACES            also error rates on a folder of photographs, a sub-folder for each person
#   scripts/ml-bench.sh FACES DOCUMENTS  also machine-readable zones on a folder of pictures of documents
#   VE_OUT=DIR scripts/ml-bench.sh ...   where the plot goes (default: target/ml-bench)
set -euo pipefail
# What is named is named from where the caller is.
folders=()
for folder in "$@"; do folders+=("$(realpath -m "$folder")"); done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh

faces=${folders[0]:-} documents=${folders[1]:-}
for folder in "${folders[@]}"; do
  [ -d "$folder" ] || die "$folder is no folder" "scripts/ml-bench.sh [FACES [DOCUMENTS]]"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

scripts/setup.sh ml
. scripts/lib/ui.sh
. scripts/lib/apt.sh
apt_install qemu-user python3-venv

. scripts/lib/python.sh

# The public packages that the float networks are in, each with its pinned hash.
python3 - >"$work/packages" <<'PY'
import tomllib
sources = [model.get("source", {}) for model in tomllib.load(open("ml/models/manifest.toml", "rb"))["model"]]
for package in sorted({(s["package"], s["version"], s["archive"], s["archive_sha256"]) for s in sources if "archive" in s}):
    print(*package)
PY
while read -r package version archive sha256; do
  step "fetching $package $version"
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "$package==$version" >>"$ve_log" 2>&1 ||
    die "$package $version could not be fetched" "is the package index reachable? the output is in $ve_log"
  echo "$sha256  $work/$archive" | sha256sum --check --quiet || die "$archive has another hash than the pinned one" "do not use it"
  python3 -m zipfile -e "$work/$archive" "$work/sources"
done <"$work/packages"

build "building the measurements" "the WebAssembly guest's tests" build --locked --release -p ve-ml-bench
build "building the WebAssembly guest's tests" "the pipeline's" test --locked --workspace --test guest --no-run
build "building the pipeline's tests" "candle" test --locked --workspace --test pipeline --no-run
target=$(target_dir)
workspace=(--manifest-path ml/training/Cargo.toml)
build "building candle" "linting ml/training" build --locked "${workspace[@]}" --bin ve-ml-reference
build "linting ml/training" "testing it" clippy --locked "${workspace[@]}" --all-targets -- -D warnings
build "testing ml/training" "the measurements" test --locked "${workspace[@]}"
reference=$(target_dir)/debug/ve-ml-reference
bench=$target/release/ve-ml-bench
float=(--python "$venv/bin/python" --sources "$work/sources")

step "WebAssembly: wasmtime without SIMD, and the node's executor"
cargo test --locked --workspace --test guest -- --nocapture --test-threads 1 >"$work/guest" 2>>"$ve_log" ||
  { cat "$work/guest"; die "the tests of ml/guest fail" "see above and $ve_log"; }

step "known answers of networks and stages in every executor; emulation takes minutes"
pipeline=$(cargo test --locked --workspace --test pipeline --no-run --message-format json 2>>"$ve_log" |
  python3 -c 'import json,sys; print(*filter(None, (json.loads(line).get("executable") for line in sys.stdin)))')
"$bench" table "${float[@]}" --reference "$reference" --guest "$work/guest" --pipeline "$pipeline"

step "what a run costs as WebAssembly (limits: 32 MiB for an allocation, 48 MiB of memory)"
awk 'BEGIN { printf "%-12s %-8s %12s %24s %12s\n", "executor", "network", "median", "largest allocation", "memory" }
  /(^| )cost / { sub(/.*cost /, ""); printf "%-12s %-8s %9.2f ms %20.1f MiB %8.1f MiB\n", $1, $2, $4, $6 / 1048576, $8 / 1048576 }' "$work/guest"

step "time beside onnxruntime"
"$bench" times "${float[@]}"

if [ -n "$faces" ]; then
  out=${VE_OUT:-$target/ml-bench}
  mkdir -p "$out"
  step "error rates beside onnxruntime"
  "$bench" faces "${float[@]}" --reference "$reference" --faces "$faces" --plot "$out/faces.svg"
fi
if [ -n "$documents" ]; then
  step "machine-readable zones beside PP-OCRv4"
  scripts/ml-mrz-bench.sh --documents "$documents"
fi
