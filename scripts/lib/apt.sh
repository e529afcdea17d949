# Debian packages, for the scripts that need some. Sourced, never run.

# as_root COMMAND...: asks for a password only where somebody can type it.
as_root() {
  local ask=-n
  [ ! -t 0 ] || ask=
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo $ask "$@"; fi
}

# apt_install PACKAGE...: installs what is missing; the lists are fetched only if it cannot be had without.
apt_install() {
  local p missing=() output apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -q)
  for p in "$@"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  printf 'installing Debian packages: %s\n' "${missing[*]}" >&2
  local install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
  output=$("${install[@]}" 2>&1) || output=$("${apt[@]}" update 2>&1 && "${install[@]}" 2>&1) || {
    printf '%s\nerror: Debian packages could not be installed\n       run as root: apt-get install %s\n' \
      "$(tail -n 5 <<<"$output")" "${missing[*]}" >&2
    return 1
  }
}
