#!/usr/bin/env bash
# The reader of machine-readable zones beside PP-OCRv4 (PyPI rapidocr-onnxruntime), on the same pictures in one run, with the
# same rules for both: the same repair, the same check digits. Needs pip and the package index; a few minutes.
#   scripts/ml-mrz-bench.sh --documents DIR       a folder of pictures of documents
#   scripts/ml-mrz-bench.sh --synthetic N         N synthetic passports of each severity
#   scripts/ml-mrz-bench.sh --fuzz CASES          the property tests of the reader, so many cases each
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/build.sh

usage() { die "$1" "scripts/ml-mrz-bench.sh --documents DIR | --synthetic N | --fuzz CASES"; }
[ $# = 2 ] || usage "one choice and its value are needed"
if [ "$1" = --fuzz ]; then
  PROPTEST_CASES=$2 exec cargo test --locked -p ve-ml-mrz --test mrz -- properties pictures::rows pictures::quadrilaterals
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
workspace=(--manifest-path ml/training/Cargo.toml)
build "building the measurement" "reading with both" build --locked "${workspace[@]}"
training() { "$(target_dir)/debug/ve-ml-training" mrz "$@"; }

. scripts/lib/python.sh
cat >"$work/read.py" <<'PY'
import pathlib, sys
from rapidocr_onnxruntime import RapidOCR

engine = RapidOCR()
for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if file.suffix in (".png", ".jpg", ".jpeg"):
        found, _ = engine(str(file))
        # From the top down, as the lines of a zone follow each other.
        rows = sorted(found or [], key=lambda row: sum(point[1] for point in row[0]))
        print(file.stem, *(row[1].replace("\t", " ") for row in rows), sep="\t", flush=True)
PY
others() { "$venv/bin/python" "$work/read.py" "$1" 2>>"$ve_log"; }

case $1 in
  --documents)
    step "ours"
    training documents --folder "$2" | tee "$work/ours"
    step "PP-OCRv4"
    others "$2" | training check >"$work/theirs"
    step "all check digits valid, side by side"
    awk -F ': ' '
      BEGIN { printf "%-24s %-8s %s\n", "picture", "ours", "PP-OCRv4" }
      NF < 2 { next }
      { valid = $2 ~ /all check digits valid/ ? "yes" : "no" }
      NR == FNR { ours[$1] = valid; pictures++; read += valid == "yes"; next }
      !($1 in ours) { print "only PP-OCRv4 was given " $1; exit 1 }
      { printf "%-24s %-8s %s\n", $1, ours[$1], valid; others++; theirs += valid == "yes" }
      END {
        printf "%-24s %-8s %s\n", "yes, of " pictures, read + 0, theirs + 0
        if (others != pictures) { print "PP-OCRv4 was given " others + 0 " pictures"; exit 1 }
      }' "$work/ours" "$work/theirs" || die "the two readers were not given the same pictures" "name them .jpg, .jpeg or .png"
    ;;
  --synthetic)
    for severity in clean mild medium hard; do
      step "$severity: ours"
      training measure --severity "$severity" --pictures "$2"
      training pictures --severity "$severity" --pictures "$2" --out "$work/$severity"
      step "$severity: PP-OCRv4"
      others "$work/$severity" | training check --truth "$work/$severity" | tail -n 2
    done
    ;;
  *) usage "$1 is not a choice" ;;
esac
