#!/usr/bin/env bash
# Installs what the build needs on a fresh Debian 12 machine: system packages, the Rust toolchain's
# WebAssembly target, and nothing else. Idempotent; prints what it does. Called by demo.sh and test.sh.
#   scripts/setup.sh [tests]    `tests` adds the test runner, cargo-nextest, and SLURM
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/ui.sh
. scripts/lib/apt.sh

apt_install clang libclang-dev protobuf-compiler cmake pkg-config python3 git ca-certificates

command -v cargo >/dev/null || die "cargo was not found" \
  "install Rust 1.93 or newer with rustup, then run this again"

# The runtime is compiled to wasm32v1-none. rustup's target is used when it can be downloaded;
# elsewhere Debian's compiler builds the three libraries the target needs, once (about 20 s).
wasm_works() {
  local toolchain=$1 dir ok=1
  dir=$(mktemp -d)
  printf '#![no_std]\n#[panic_handler]\nfn p(_: &core::panic::PanicInfo) -> ! { loop {} }\n' >"$dir/l.rs"
  rustup run "$toolchain" rustc --target wasm32v1-none --crate-type cdylib -O -o "$dir/l.wasm" "$dir/l.rs" >/dev/null 2>&1 || ok=0
  rm -rf "$dir"
  [ $ok = 1 ]
}
default_toolchain=$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1 || true)
if [ -n "$default_toolchain" ] && wasm_works "$default_toolchain"; then
  :
elif wasm_works wasm; then
  :
elif timeout 120 rustup target add wasm32v1-none >"$ve_log" 2>&1 && wasm_works "$default_toolchain"; then
  step "added the wasm32v1-none target with rustup"
else
  step "building the wasm32v1-none target from Debian's Rust sources (about 20 s)"
  apt_install rustc-web cargo-web rust-web-src rust-web-llvm lld-22
  dir=$(mktemp -d)
  mkdir -p "$dir/src"
  cat >"$dir/Cargo.toml" <<'TOML'
[package]
name = "sysroot"
version = "0.0.0"
edition = "2021"
[lib]
crate-type = ["cdylib"]
[profile.release]
panic = "abort"
[workspace]
TOML
  cat >"$dir/src/lib.rs" <<'RS'
#![no_std]
extern crate alloc;
use core::alloc::{GlobalAlloc, Layout};
struct Never;
unsafe impl GlobalAlloc for Never {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 { core::ptr::null_mut() }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
#[global_allocator]
static A: Never = Never;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
RS
  (cd "$dir" && CARGO_TARGET_DIR=$dir/target RUSTFLAGS=-Cembed-bitcode=yes RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
    CARGO_TARGET_WASM32V1_NONE_LINKER=wasm-ld-22 \
    /usr/bin/cargo build --release --target wasm32v1-none -Zbuild-std=core,alloc >"$ve_log" 2>&1) ||
    die "building the WebAssembly libraries failed" "see $ve_log"
  lib=/usr/lib/rustlib/wasm32v1-none/lib
  as_root mkdir -p "$lib"
  for c in core alloc compiler_builtins; do as_root cp "$dir"/target/wasm32v1-none/release/deps/lib$c-*.rlib "$lib/"; done
  rm -rf "$dir"
  rustup toolchain link wasm /usr
  wasm_works wasm || die "the WebAssembly target does not compile" "run: rustup run wasm rustc --target wasm32v1-none --print cfg"
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
