# The Debian packages that templates need on a cluster's nodes beside python3. Sourced, or run for its own sake:
#   bash scripts/lib/slurm-workloads.sh install TEMPLATE...
# Download sizes on Debian 12, without what is installed already: see slurm-templates/README.md.

# slurm_workload_packages TEMPLATE: its packages, in one line; empty if python3 is enough.
slurm_workload_packages() {
  case $1 in
    flow) echo gcc libc6-dev ;;
    patterns) echo openmpi-bin python3-mpi4py python3-numpy ;;
    python) echo python3-venv python3-numpy ;;
    notebook) echo jupyter-notebook python3-ipykernel openssl ;;
    water) echo gromacs ;;
  esac
}

# slurm_workloads_install TEMPLATE...: installs what is missing for all of them. Needs root, or sudo without a password.
slurm_workloads_install() {
  local template p missing=() as_root=()
  for template in "$@"; do
    for p in $(slurm_workload_packages "$template"); do
      dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
    done
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  printf 'installing Debian packages: %s\n' "${missing[*]}" >&2
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600)
  local install=("${apt[@]}" install -y -q --no-install-recommends "${missing[@]}")
  "${install[@]}" >/dev/null 2>&1 || { "${apt[@]}" update -q >/dev/null && "${install[@]}" >/dev/null; } || {
    printf 'error: what the templates need could not be installed\n       run as root: apt-get install %s\n' "${missing[*]}" >&2
    return 1
  }
}

if [ "${1:-}" = install ]; then
  set -euo pipefail
  shift
  slurm_workloads_install "$@"
fi
