# What the measurements of ml/ compare with, in a folder of its own, named after what is in it. Sourced after ui.sh, in the
# repository's root; sets venv.
venv=${XDG_CACHE_HOME:-$HOME/.cache}/virtengine/onnxruntime-$(cat ml/bench/requirements.txt ml/bench/pp-ocr.txt | sha256sum | cut -c1-12)
if ! [ -e "$venv/complete" ]; then
  step "installing onnxruntime and PP-OCRv4 into $venv"
  rm -rf "$venv"
  {
    pip() { "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: "$@"; }
    python3 -m venv "$venv" && pip -r ml/bench/requirements.txt && pip --require-hashes -r ml/bench/pp-ocr.txt
  } >>"$ve_log" 2>&1 ||
    die "onnxruntime or PP-OCRv4 could not be installed" "is the package index reachable? the output is in $ve_log"
  unset -f pip
  touch "$venv/complete"
fi
