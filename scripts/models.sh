#!/usr/bin/env bash
# Derives the networks of ml/models again from their public packages or committed checkpoints and the committed scales, and
# fails unless every byte is the pinned one. Needs pip and the package index; about a minute after the build.
#   scripts/models.sh                      derive, compare with ml/models/manifest.toml
#   scripts/models.sh --write              the same, and write the artefacts into ml/models
#   scripts/models.sh calibrate MODEL --images DIR --out FILE
#   scripts/models.sh compare --faces DIR  float and integer embeddings of a folder of faces, one sub-folder per person
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh

write=false
if [ "${1:-}" = --write ]; then write=true; shift; fi
command -v pip3 >/dev/null || die "pip3 was not found" "install python3-pip"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# manifest FIELDS: one line for each model, with these fields of its source (or of the model, for `name`).
manifest() { python3 - "$@" <<'PY'
import sys, tomllib
for model in tomllib.load(open("ml/models/manifest.toml", "rb"))["model"]:
    fields = [model["source"].get(field, model.get(field)) for field in sys.argv[1:]]
    # A model of our own training has no package: its checkpoint lies in ml/models.
    if None not in fields:
        print(*fields)
PY
}

manifest package version archive archive_sha256 | sort -u | while read -r package version archive sha256; do
  step "fetching $package $version"
  pip3 download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "$package==$version" >>"$ve_log" 2>&1 ||
    die "$package $version could not be fetched" "is the package index reachable? the output is in $ve_log"
  echo "$sha256  $work/$archive" | sha256sum --check --quiet || die "$archive has another hash than the pinned one" "do not use it"
  python3 -m zipfile -e "$work/$archive" "$work/sources"
done

mkdir -p "$work/sources"
cp ml/models/*.safetensors "$work/sources/"

workspace=(--manifest-path ml/training/Cargo.toml)
build "building the converter" "converting" build --locked "${workspace[@]}"
training() { "$(target_dir)/debug/ve-ml-training" --sources "$work/sources" "$@"; }
if [ $# -gt 0 ]; then
  training "$@"
  exit
fi
for model in $(manifest name); do
  step "converting $model"
  rc=0
  training convert "$model" --out "$work/$model.veml" || rc=$?
  if $write; then cp "$work/$model.veml" ml/models/; fi
  [ $rc = 0 ] || exit $rc
  cmp "$work/$model.veml" "ml/models/$model.veml" || die "ml/models/$model.veml is not the pinned artefact" "scripts/models.sh --write"
done
echo "every artefact was derived from its source and has its pinned hash"
