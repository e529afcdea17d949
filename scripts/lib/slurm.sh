# The Debian packages of a real SLURM, for tests and for `scripts/slurm-cluster.sh`. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# slurm_install: installs what is missing. Needs root, or sudo.
slurm_install() {
  apt_install slurmctld slurmd slurmdbd slurmrestd slurm-client slurm-wlm-jwt-plugin slurm-wlm-mysql-plugin \
    munge mariadb-server sudo openssh-server openssh-client
}

# remove_pool DIR: takes away the members of the pool whose directories lie there, and their group. Needs root.
remove_pool() {
  local member members=()
  [ ! -d "$1" ] || mapfile -t members < <(ls "$1")
  for member in "${members[@]}"; do flock /run userdel --force "$member" >/dev/null 2>&1 || true; done
  # Numbers are put behind the group's name.
  [ ${#members[@]} = 0 ] || flock /run groupdel "${members[0]%???}" >/dev/null 2>&1 || true
}
