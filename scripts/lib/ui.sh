# What every script shares: the log file, step lines with the elapsed time, errors that name the remedy.
# Sourced, never run.
ve_log=${VE_LOG:-$(mktemp -t virtengine.XXXXXX.log)}
export ve_started=${ve_started:-$EPOCHSECONDS} # exported: scripts started by a script go on with its clock
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' off=$'\e[0m'; else bold='' dim='' red='' off=''; fi

clock() { local s=$((EPOCHSECONDS - ve_started)); printf '%02d:%02d' $((s / 60)) $((s % 60)); }
step() { printf '%s[%s]%s %s\n' "$bold" "$(clock)" "$off" "$*"; }
note() { printf '        %s%s%s\n' "$dim" "$*" "$off"; }
# die WHAT REMEDY
die() { printf '%serror:%s %s\n       %s\n' "$red" "$off" "$1" "${2:-}" >&2; exit 1; }

# The toolchain that compiles to WebAssembly, for substrate-wasm-builder and for tests: the default one where rustup could
# add all targets of setup.sh to it, else the one that setup.sh linked.
if [ "$(rustup target list --installed 2>/dev/null | grep -c '^wasm32\(v1-none\|-unknown-unknown\)$')" != 2 ] && rustup toolchain list 2>/dev/null | grep -q '^wasm\b'; then
  export WASM_BUILD_TOOLCHAIN=wasm
fi
