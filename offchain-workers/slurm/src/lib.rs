//! Batch schedulers behind one seam.
//!
//! [`Scheduler`] is all that the provider role knows of a cluster. [`conformance`] holds the behaviour that every
//! implementation must show. [`local`] runs jobs as processes of this machine under a [`shim`] each. [`cli`] works
//! with a SLURM cluster by its commands, over what [`slurm`] knows of SLURM.

pub mod check;
pub mod cli;
pub mod conformance;
mod durable;
mod gather;
mod handles;
pub mod identity;
pub mod local;
pub mod outcome;
pub mod rest;
mod scheduler;
pub mod shim;
pub mod slurm;
mod types;

pub use cli::{SlurmCli, SlurmCliConfig};
pub use gather::Gather;
pub use local::{Capacity, LocalConfig, LocalScheduler, OpenError, ShimCommand};
pub use outcome::{overall, tasks, TaskOutcomes};
pub use rest::{RestConfig, SlurmRest};
pub use scheduler::{ForgetError, QueryError, Scheduler, SubmitError};
pub use types::*;
