//! What slurmctld says of itself.

use std::time::{SystemTime, UNIX_EPOCH};

/// Most by which the cluster's clock may differ from this machine's, in seconds. The chain refuses usage that lies further
/// ahead.
const MAX_SKEW_S: u64 = 30;

/// What `sdiag` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The cluster's clock, in unix seconds, if it was told.
    pub now: Option<u64>,
    /// Messages that slurmctld has not got rid of to slurmdbd yet.
    pub waiting: u64,
}

impl Diagnosis {
    /// Whether the cluster's clock, asked for a moment ago, agrees with this machine's. The error is for people.
    pub fn clock_agrees(&self) -> Result<(), String> {
        let ours = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        match self.now.map_or(0, |theirs| theirs.abs_diff(ours)) {
            skew if skew > MAX_SKEW_S => Err(format!(
                "the cluster's clock differs from this machine's by {skew} s; set both by NTP"
            )),
            _ => Ok(()),
        }
    }
}
