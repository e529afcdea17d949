//! The provider role: it looks after the jobs that are assigned to a provider's clusters.
//!
//! * [`reconcile`] decides: a pure function from what the finalised chain, the worker's record and the scheduler say of
//!   one job to the one next step. [`metering`] is the pure arithmetic of usage.
//! * [`Role`] is the loop: it decides on every job at every new finalised head, whenever a step has ended, and at
//!   intervals; it gathers calls to the chain into batches. The events of the chain say which jobs to read again.
//! * A job is acted on when its assignment to us is final. Its acceptance need only be included: what is done before
//!   that is final too can be undone, and is.
//! * `steps` do one thing each. Whatever they are about to do outside is recorded first; killed at any of the
//!   [`failpoints`], the next start does what is missing and nothing twice.
//! * [`policy`] says what follows from a failure. Only what can never succeed ends a job.
//!
//! Invariants: nothing is stopped, ended or removed because somebody was unreachable. The chain's sequence numbers and
//! meters are the truth; the worker keeps none of its own. No plaintext of a customer enters the database or the log.

mod archive;
pub mod beneath;
mod calls;
mod chain;
mod context;
pub mod failpoints;
pub mod files;
mod health;
mod identities;
mod library;
mod local;
mod looks;
pub mod metering;
mod metrics;
pub mod policy;
pub mod reconcile;
mod records;
mod role;
mod settings;
mod steps;
pub mod tar;
mod view;
mod watch;

pub use archive::Artifacts;
pub use chain::NodeChain;
pub use context::{now_ms, Context, Place};
pub use health::Health;
pub use identities::{Homes, Identities, LeaseError, PoolSettings};
pub use library::Library;
pub use local::{Admission, LocalJob, LogCursor, Submission};
pub use metrics::Metrics;
pub use records::Records;
pub use role::Role;
pub use settings::{ClusterSettings, RunAs, Settings};
pub use view::{Batch, ChainJob, ChainView, News, Outcomes, Snapshot};
