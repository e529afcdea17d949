//! As whom jobs run on a cluster: a pool of unix users that its provider made, one for each customer at a time.
//!
//! [`Pool`] says what the pool consists of and how it is made: [`Pool::setup`] is a shell script that an administrator
//! runs, or lets `virtengine-worker pool` run. Who has which identity is kept by the provider role.

mod pool;
mod scheduler;
mod setup;

pub use pool::{Pool, PoolError};
pub use scheduler::{MakeClient, PerMember};

use serde::{Deserialize, Serialize};

/// As whom a job runs: a member of a [`Pool`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Unix user, on the submitting machine and on every node.
    pub user: String,
    /// Account in the scheduler's accounting.
    pub account: String,
    /// Quality of service that its jobs are submitted with.
    pub qos: Option<String>,
}

/// Whether a word can be the name of a unix user, group, account or QoS of a pool: 1 to 24 bytes out of
/// `a-z 0-9 - _`, the first a letter. (Linux takes 32; a member's name has a number behind it.)
pub fn is_name(name: &str) -> bool {
    (1..=24).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}
