//! What a worker remembers.
//!
//! [`Database`] is one SQLite file: **records** (kind, id, version, JSON) under optimistic versions, and an **outbox**
//! of actions to be done outside, each exactly once by key. Both change together in one [`Transaction`], so "I intend
//! to submit job 42" and the action that submits it are never apart. Whatever was committed survives the death of the
//! process and of the machine (write-ahead log, full fsync).
//!
//! [`Artifacts`] keeps sealed bodies by the hash of their content, and logs and evidence by name, over `object_store`.
//! Nothing is seen half-written: an object appears whole or not at all.
//!
//! Invariant: this crate knows neither the chain nor a scheduler, and never sees a plaintext.
//!
//! ```no_run
//! # use ve_store::*;
//! # #[derive(serde::Serialize, serde::Deserialize, Clone)] struct JobRow { phase: String }
//! # async fn example() -> Result<(), Error> {
//! let database = Database::open("worker.db".as_ref()).await?;
//! let mut change = database.begin().await?;
//! let job = change.insert("job", "42", &JobRow { phase: "accepted".into() }).await?;
//! change.enqueue("submit:42", "scheduler", &"ve-00000000-42").await?;
//! change.commit().await?;
//!
//! for action in database.due::<String>("scheduler", 16).await? {
//!     // look up, then create; then:
//!     database.complete(&action.key, &"job id 7").await?;
//! }
//! let mut row = job;
//! row.value.phase = "queued".into();
//! database.update("job", &mut row).await?; // `Error::Conflict` if somebody else was faster
//! # Ok(())
//! # }
//! ```

mod artifacts;
mod database;
mod error;
mod outbox;
mod records;
mod writer;

pub use artifacts::{Artifact, ArtifactReader, ArtifactWriter, Artifacts, Listed};
pub use database::{Database, Transaction};
pub use error::Error;
pub use outbox::{Action, ActionState, Outcome};
pub use records::Record;
