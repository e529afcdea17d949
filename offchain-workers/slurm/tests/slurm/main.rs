//! SLURM by its commands, against real daemons.
//!
//! Each test starts a cluster of its own with `scripts/slurm-cluster.sh`, which needs SLURM's Debian packages
//! (`scripts/setup.sh tests` installs them) and, for jobs of another user, root. Environment:
//!
//! | variable | meaning |
//! |---|---|
//! | `VE_SLURM_CONF` | `slurm.conf` of a cluster that runs already: the conformance suite is run on it |
//! | `VE_SLURM_SSH` | `USER@HOST:PORT` of a machine of that cluster, if its commands do not work on this one |
//! | `VE_SLURM_SSH_KEY`, `VE_SLURM_KNOWN_HOSTS` | files for it: a private key, and the pinned key of the host |
//! | `VE_SLURM_PATH` | where its commands are, `/usr/bin:/bin` |
//! | `VE_SLURM_USER` | who submits, by `sudo -n -u` if it is not the user of the test, or of SSH |
//! | `VE_SLURM_PARTITION` | partition, `main` |
//! | `VE_SLURM_DIR` | directory that the nodes share with this machine, `/tmp` |
//! | `VE_SLURM_OOM=1` | the cluster tells an end by memory apart (cgroups) |
//! | `VE_SLURM_LONG=1` | also what takes minutes: slurmctld gone for minutes, forgotten jobs while slurmdbd is away |
//!
//! The failure runs stop daemons, so they always use a cluster of their own. `scripts/debian13.sh` runs all of them on a SLURM
//! of the second generation: its header has the command.

mod bed;
mod cluster;
mod conforms;
mod failures;
#[allow(dead_code)] // Addresses and keys are for the tests of `rest`, which share it.
#[path = "../real/mod.rs"]
mod real;
mod remote;
mod stand_in;
