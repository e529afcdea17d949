//! What the two SLURM schedulers share: what a submission becomes, and what SLURM's answers mean.
//!
//! Nothing here talks to a cluster. [`Request`] is a [`crate::SubmitSpec`] in SLURM's terms, with the batch script that
//! [`wrapper`] makes. [`Record`]s (slurmctld) and [`Row`]s (slurmdbd) are SLURM's answers whatever brought them;
//! [`judge`] makes a [`crate::Status`] and [`crate::Attempt`]s out of them.

mod diagnosis;
mod identity;
mod job_id;
pub mod judge;
mod request;
mod rows;
mod tag;
mod tasks;
pub mod tres;
pub mod words;
pub mod wrapper;

pub use diagnosis::Diagnosis;
pub use identity::Identity;
pub use job_id::SlurmJobId;
pub use request::Request;
pub use rows::{Record, Row};
pub use tag::Tag;
pub use tasks::TaskSet;

/// For how long it counts that slurmctld had nothing to tell slurmdbd: less than half of the shortest `MinJobAge` that this
/// works with, 30 s.
pub const DRAINED_FOR: std::time::Duration = std::time::Duration::from_secs(10);
