#!/usr/bin/env bash
# Installs what the build needs on a fresh Debian 12 machine: system packages, the Rust toolchain's
# WebAssembly targets, and nothing else. Idempotent; prints what it does. Called by the other scripts.
#   scripts/setup.sh           what the build needs
#   scripts/setup.sh ml        also the second WebAssembly target, for the tests of ml/
#   scripts/setup.sh tests     also that, the test runner, cargo-nextest, and SLURM
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/apt.sh

apt_install clang libclang-dev protobuf-compiler cmake pkg-config python3 git ca-certificates

command -v cargo >/dev/null || die "cargo was not found" \
  "install Rust 1.93 or newer with rustup, then run this again"

# The runtime is compiled to wasm32v1-none, and tests compile code that needs the standard library to
# wasm32-unknown-unknown. rustup's targets are used when they can be downloaded; elsewhere Debian's compiler builds their
# libraries, once.
targets=(wasm32v1-none)
case "${1:-}" in ml | tests) targets+=(wasm32-unknown-unknown) ;; esac

# wasm_works TOOLCHAIN TARGET...: whether it compiles for all of them.
wasm_works() {
  local toolchain=$1 target dir ok=1
  shift
  dir=$(mktemp -d)
  printf '#![cfg_attr(target_os = "none", no_std)]\n#[cfg(target_os = "none")]\n#[panic_handler]\nfn p(_: &core::panic::PanicInfo) -> ! { loop {} }\n' >"$dir/l.rs"
  for target in "$@"; do
    rustup run "$toolchain" rustc --target "$target" --crate-type cdylib -O -o "$dir/l.wasm" "$dir/l.rs" >/dev/null 2>&1 || ok=0
  done
  rm -rf "$dir"
  [ $ok = 1 ]
}

# wasm_build TARGET: builds its libraries from Debian's Rust sources, and puts them where Debian's compiler looks.
wasm_build() {
  local target=$1 libraries=core,alloc dir lib=/usr/lib/rustlib/$1/lib
  [ "$target" = wasm32v1-none ] || libraries=std,panic_abort
  step "building the $target target from Debian's Rust sources (20 s to a minute)"
  dir=$(mktemp -d)
  mkdir "$dir/src"
  printf '[package]\nname = "sysroot"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\npanic = "abort"\n[workspace]\n' >"$dir/Cargo.toml"
  echo '#![no_std]' >"$dir/src/lib.rs"
  (cd "$dir" && CARGO_TARGET_DIR=$dir/target RUSTFLAGS=-Cembed-bitcode=yes RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
    /usr/bin/cargo build --release --target "$target" -Zbuild-std="$libraries" >"$ve_log" 2>&1) ||
    die "building the WebAssembly libraries failed" "see $ve_log"
  rm "$dir/target/$target/release/deps"/libsysroot-*
  # Two versions of a library would be one too many.
  as_root rm -rf "$lib"
  as_root mkdir -p "$lib"
  as_root cp "$dir/target/$target/release/deps"/lib*.rlib "$lib/"
  rm -rf "$dir"
}

default_toolchain=$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1 || true)
if [ -n "$default_toolchain" ] && wasm_works "$default_toolchain" "${targets[@]}"; then
  :
elif wasm_works wasm "${targets[@]}"; then
  :
elif timeout 120 rustup target add "${targets[@]}" >"$ve_log" 2>&1 && wasm_works "$default_toolchain" "${targets[@]}"; then
  step "added with rustup: ${targets[*]}"
else
  apt_install rustc-web cargo-web rust-web-src rust-web-llvm lld-22
  rustup toolchain link wasm /usr
  for target in "${targets[@]}"; do
    wasm_works wasm "$target" || wasm_build "$target"
    wasm_works wasm "$target" || die "the WebAssembly target does not compile" "run: rustup run wasm rustc --target $target --print cfg"
  done
fi

if [ "${1:-}" = tests ] && ! cargo nextest --version >/dev/null 2>&1; then
  step "building the test runner, once (about 6 minutes)"
  cargo install cargo-nextest --version 0.9.143 --locked --target-dir "$(mktemp -d)" >"$ve_log" 2>&1 ||
    die "installing cargo-nextest failed" "see $ve_log, then run: cargo install cargo-nextest --locked"
fi
if [ "${1:-}" = tests ]; then
  . scripts/lib/slurm.sh
  slurm_install
fi
