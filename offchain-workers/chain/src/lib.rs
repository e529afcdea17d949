//! What the workers and `ve` know of the chain: a patient connection, typed reads at one block, typed calls, and a
//! submitter that never sends the same thing twice.
//!
//! * [`Chain::connect`] opens a connection that repairs itself. A node that cannot be reached is
//!   [`ChainError::Unreachable`], which means "unknown" and never "gone".
//! * [`Chain::at_finalized`] (or [`Chain::at_best`], [`Chain::at`]) gives [`At`]: every read of it is taken at that one
//!   block, so that answers fit together. There is one function per method of `virtengine_primitives::apis`.
//! * [`Chain::finalized`] gives [`Heads`]: it yields the *newest* head, skipping what was missed. Heads wake a loop up;
//!   what is to be done is read at the head (level-triggered), never from the stream.
//! * [`calls`] builds a [`Call`] from primitives types; pallet and call are looked up by name in the node's metadata
//!   and the encoded arguments are checked against it before anything is signed.
//! * [`Submitter`] signs and sends for one account, from many tasks at once. It waits until the outcome is final and
//!   returns the decoded events, or says what the runtime refused, in the runtime's own words.
//! * [`dispute`] checks what the parties to a dispute show each other.
//! * [`invoice`] renders an invoice as canonical JSON and verifies such a document against the chain.
//!
//! Invariant: this crate links no pallet. What it knows of the runtime are the types of `virtengine-primitives` and the
//! metadata that the node serves.

pub mod at;
pub mod call;
pub mod calls;
mod chain;
pub mod dispute;
mod error;
mod event;
pub mod invoice;
pub mod money;
mod rpc;
mod runtime;
mod signer;
mod submit;

pub use at::{AccountBalances, At};
pub use call::Call;
pub use chain::{Chain, ConnectOptions, Head, Heads, Timeouts};
pub use error::ChainError;
pub use event::ChainEvent;
pub use signer::Signer;
pub use sp_core::{crypto::AccountId32, H256};
pub use submit::{Progress, Submitted, Submitter, Until};
