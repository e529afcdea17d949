# The Debian packages of a real SLURM, for tests and for `scripts/slurm-cluster.sh`. Sourced, never run.

slurm_packages=(slurmctld slurmd slurmdbd slurmrestd slurm-client slurm-wlm-jwt-plugin slurm-wlm-mysql-plugin
  munge mariadb-server sudo openssh-server openssh-client)

# slurm_missing: the packages that are not installed, one a line.
slurm_missing() {
  local p
  for p in "${slurm_packages[@]}"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
  done
}

# slurm_install: installs what is missing. Needs root, or sudo without a password.
slurm_install() {
  local missing as_root=()
  mapfile -t missing < <(slurm_missing)
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  printf 'installing Debian packages: %s\n' "${missing[*]}" >&2
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600)
  local install=("${apt[@]}" install -y -q --no-install-recommends "${missing[@]}")
  "${install[@]}" >/dev/null 2>&1 || { "${apt[@]}" update -q >/dev/null && "${install[@]}" >/dev/null; } || {
    printf 'error: SLURM could not be installed\n       run as root: apt-get install %s\n' "${missing[*]}" >&2
    return 1
  }
}
