#!/usr/bin/env bash
# Runs a command on Debian 13 beside this system, whose SLURM is of the other generation (24.11, REST v0.0.42). As root.
#
#   debian13.sh COMMAND...   in the same directory; sees this checkout, /tmp, what was built with the command and the network,
#                            and its own users and processes. Whatever it leaves running ends with it, or with this script,
#                            killed ones included.
#
# cargo runs tests there, each with its own real cluster:
#   CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/scripts/debian13.sh cargo test -p ve-slurm --test rest --test slurm
# A cluster to give to tests outside: `debian13.sh bash -c 'scripts/slurm-cluster.sh up && exec sleep infinity'`.
#
# The first call makes it out of Debian's packages (minutes, 800 MB).
#   VE_DEBIAN13   its directory   [~/.cache/virtengine-tools/debian13]
set -Eeuo pipefail
trap 'echo "[debian13] error: line $LINENO: $BASH_COMMAND: failed" >&2' ERR
[ $# -gt 0 ] || { sed -n '2,/^set -/{/^set -/d;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "[debian13] error: it changes its root directory: run it as root" >&2; exit 2; }
checkout=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
root=${VE_DEBIAN13:-${XDG_CACHE_HOME:-$HOME/.cache}/virtengine-tools/debian13}

# inside COMMAND...: with mounts and processes that end with the command, and with this script, whatever ends it.
inside() {
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash -c '
    set -e
    root=$1 here=$PWD
    shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    while [ "$1" != -- ]; do
      mkdir -p "$root$1"
      mount --bind "$1" "$root$1"
      shift
    done
    shift
    for file in /etc/hosts /etc/resolv.conf; do
      [ ! -e "$file" ] || mount --bind "$file" "$root$file"
    done
    # Not its first process: that one has to take over orphans.
    env -u TMPDIR PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      chroot "$root" bash -c "cd \"\$0\" && exec \"\$@\"" "$here" "$@" || exit $?
  ' debian13 "$root" /tmp "$checkout" "$program" -- "$@"
}

make() {
  [ ! -e "$root/etc/virtengine" ] || return 0
  . "$checkout/scripts/lib/apt.sh"
  apt_install debootstrap
  echo "[debian13] making $root" >&2
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase trixie "$root" >"$root.log" 2>&1
  # This system's are mounted over them.
  rm -f "$root/etc/hosts" "$root/etc/resolv.conf"
  touch "$root/etc/hosts" "$root/etc/resolv.conf"
  # No daemon starts by itself, and no user has the number of one of this system's.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  sed -i 's/^UID_MIN.*/UID_MIN 20000/; s/^GID_MIN.*/GID_MIN 20000/' "$root/etc/login.defs"
  # And what clients of HTTPS and the scripts of a test market need.
  inside bash -c '. scripts/lib/slurm.sh && slurm_install && apt_install ca-certificates python3' >>"$root.log" 2>&1
  touch "$root/etc/virtengine"
}

program=$checkout
mkdir -p "$(dirname "$root")"
(cd "$checkout" && flock 9 && make) 9>"$root.lock"
# Where a test's own program lies, and the programs that it starts.
case $1 in /*) [ -e "$root$1" ] || program=$(dirname "$(realpath "$1")") ;; esac
program=${program%/deps}
inside "$@" || exit $?
