# The Debian packages that templates need on a cluster's nodes beside python3. Sourced, or run for its own sake:
#   bash scripts/lib/slurm-workloads.sh install TEMPLATE...
# Download sizes on Debian 12, without what is installed already: see slurm-templates/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

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

# slurm_workloads_install TEMPLATE...: installs what is missing for all of them. Needs root, or sudo.
slurm_workloads_install() {
  local template packages
  packages=$(for template in "$@"; do slurm_workload_packages "$template"; done)
  # shellcheck disable=SC2086 # Names of packages, each a word.
  apt_install $packages
}

if [ "${1:-}" = install ]; then
  set -euo pipefail
  shift
  slurm_workloads_install "$@"
fi
