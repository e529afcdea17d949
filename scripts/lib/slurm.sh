# The Debian packages of a real SLURM, for tests and for `scripts/slurm-cluster.sh`. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# slurm_install: installs what is missing. Needs root, or sudo.
slurm_install() {
  apt_install slurmctld slurmd slurmdbd slurmrestd slurm-client slurm-wlm-jwt-plugin slurm-wlm-mysql-plugin \
    munge mariadb-server sudo openssh-server openssh-client
}
