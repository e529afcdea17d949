//! Batch schedulers behind one seam.
//!
//! [`Scheduler`] is all that the provider role knows of a cluster. [`conformance`] holds the behaviour that every
//! implementation must show.

pub mod outcome;
mod scheduler;
mod types;

pub use outcome::{overall, tasks, TaskOutcomes};
pub use scheduler::{ForgetError, QueryError, Scheduler, SubmitError};
pub use types::*;
