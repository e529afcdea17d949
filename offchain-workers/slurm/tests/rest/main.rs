//! The scheduler over slurmrestd.
//!
//! By default against a real SLURM of Debian's packages, started by `scripts/slurm-cluster.sh` (22.05 on Debian 12: API
//! v0.0.38; 24.11 on Debian 13: v0.0.42) in the temporary directory, and wiped 30 s after the last test that used it.
//!
//! Against a cluster that runs already, name it:
//!
//! | variable | what |
//! |---|---|
//! | `VE_SLURM_REST` | address of slurmrestd, `http://…`; with it nothing is started, and tests that stop daemons are left out |
//! | `VE_SLURM_JWT_KEY` | file with the cluster's key for tokens, readable by its owner only |
//! | `VE_SLURM_CLUSTER` | the cluster's name in accounting |
//! | `VE_SLURM_USER` | unix user as whom jobs run; the tests run as root or as this user |
//! | `VE_SLURM_PARTITION` | partition; the default one otherwise |
//! | `VE_SLURM_SHARED` | a directory that nodes see under the same path; the temporary directory otherwise |
//! | `VE_SLURM_LONG` | also the cases that wait for time limits, which SLURM counts in minutes |
//!
//! `slurm-cluster.sh env` prints all of them. [`hostile`] needs no cluster.

mod bed;
mod cluster;
mod conforms;
mod failing;
mod hostile;
mod server;
