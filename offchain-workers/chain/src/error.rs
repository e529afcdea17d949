//! What can go wrong between us and the chain, told apart by what the caller should do about it.

use sp_core::H256;
use std::time::Duration;

/// Why a read or a submission gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChainError {
    /// The node did not answer. Nothing is known about the chain; nothing may be concluded. Try again later.
    #[error("the node at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the connection said.
        reason: String,
    },
    /// The URL is none that a node could be reached at.
    #[error("{url:?} is not a node's URL: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node belongs to another chain. Nothing was signed or sent.
    #[error("the node serves the chain with genesis {found:?}, expected {expected:?}")]
    WrongGenesis {
        /// The genesis hash that was asked for (or seen when first connected).
        expected: H256,
        /// The genesis hash that the node serves.
        found: H256,
    },
    /// The runtime executed the call and refused it. The nonce was used and the fee paid; nothing else happened.
    #[error("the chain refused {call}: {pallet}.{name}: {docs}")]
    RuntimeRefused {
        /// The call, `Pallet.call`.
        call: String,
        /// Pallet that refused; `System` for refusals that are none of a pallet's.
        pallet: String,
        /// Name of the error.
        name: String,
        /// What the runtime's metadata says about the error: what to do about it.
        docs: String,
    },
    /// The transaction pool would not take the transaction. Nothing was executed.
    #[error("the transaction {what} is not valid: {reason}")]
    InvalidTransaction {
        /// The call, `Pallet.call`.
        what: String,
        /// What the pool said.
        reason: String,
    },
    /// The transaction was not included while it was valid and can never be included any more: it is safe to read the
    /// state again and to decide anew.
    #[error(
        "{what} was not included in a block before its validity ended at block {valid_before}"
    )]
    NotIncluded {
        /// The call, `Pallet.call`.
        what: String,
        /// First block at which it was not valid any more.
        valid_before: u32,
    },
    /// No answer within the named time. Whether it happened is unknown: read the chain before doing it again.
    #[error("no answer within {after:?} while waiting for {what}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// The node's runtime does not fit this program: a pallet, call, API or type is missing or has another shape.
    #[error("the node's runtime does not fit this program: {0}")]
    Incompatible(String),
    /// The node answered with an error of its own.
    #[error("the node answered {method} with an error: {reason}")]
    Rpc {
        /// The RPC method.
        method: String,
        /// Its message.
        reason: String,
    },
    /// The node does not have the block (pruned, or never seen).
    #[error("the node does not have block {0:?} (any more); use an archive node for old blocks")]
    NoBlock(H256),
    /// The runtime refused what was asked, without a transaction (a dry run).
    #[error("the chain would refuse this: {pallet}.{name}: {docs}")]
    WouldRefuse {
        /// Pallet that refused.
        pallet: String,
        /// Name of the error.
        name: String,
        /// What the runtime's metadata says about it.
        docs: String,
    },
    /// A secret that is none.
    #[error("not a usable secret: {0}")]
    BadSecret(String),
}

impl ChainError {
    /// Whether the same request may simply be made again later: nothing is known to be wrong with it.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::NotIncluded { .. }
        )
    }

    /// Name of the runtime's error, if that is what it is, as `(pallet, name)`.
    pub fn refusal(&self) -> Option<(&str, &str)> {
        match self {
            Self::RuntimeRefused { pallet, name, .. } | Self::WouldRefuse { pallet, name, .. } => {
                Some((pallet, name))
            }
            _ => None,
        }
    }

    /// Whether the runtime refused with this error.
    pub fn is_refusal(&self, pallet: &str, name: &str) -> bool {
        self.refusal() == Some((pallet, name))
    }
}
