//! The scheduler over slurmrestd.
//!
//! Each test starts a real cluster of its own with `scripts/slurm-cluster.sh` (SLURM 22.05 on Debian 12: API v0.0.38; 24.11 on
//! Debian 13: v0.0.42), which needs SLURM's Debian packages (`scripts/setup.sh tests` installs them) and, for jobs of another
//! user, root. [`hostile`] needs no cluster. The conformance suite also runs against a cluster that is named:
//!
//! | variable | meaning |
//! |---|---|
//! | `VE_SLURM_REST` | address of slurmrestd, `http://…`; tests that stop daemons are left out |
//! | `VE_SLURM_JWT_KEY` | file with the cluster's key for tokens, readable by its owner only |
//! | `VE_SLURM_CLUSTER` | the cluster's name in accounting |
//! | `VE_SLURM_USER` | unix user as whom jobs run |
//! | `VE_SLURM_PARTITION` | partition, `main` |
//! | `VE_SLURM_DIR` | directory that the nodes share with this machine, `/tmp` |
//! | `VE_SLURM_OOM=1` | the cluster tells an end by memory apart (cgroups) |
//! | `VE_SLURM_LONG=1` | also what takes minutes: slurmctld gone for minutes, forgotten jobs while slurmdbd is away |
//!
//! `slurm-cluster.sh env` prints them for its clusters. `scripts/debian13.sh` runs all tests on a SLURM of the second
//! generation: its header has the command.

mod bed;
mod conforms;
mod failing;
mod hostile;
#[path = "../real/mod.rs"]
mod real;
mod server;
