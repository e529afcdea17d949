//! The name of a job in a SLURM cluster.

use std::{fmt, str::FromStr};

use crate::{check::is_handle, types::SchedulerJobId};

/// A job id together with the handle it was submitted under, written `123:ve-0123abcd-7`.
///
/// The number alone is not enough: it starts again when a cluster loses its state, and the accounting of a former job
/// of the same number must never be charged to this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlurmJobId {
    /// Job id; of an array, the id of the whole.
    pub job: u32,
    /// Our name for it.
    pub handle: String,
}

impl fmt::Display for SlurmJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.job, self.handle)
    }
}

impl FromStr for SlurmJobId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(job, handle)| {
                let job = job.parse().ok().filter(|job| *job > 0)?;
                is_handle(handle).then(|| Self {
                    job,
                    handle: handle.to_owned(),
                })
            })
            .ok_or_else(|| format!("{text:?} is not the id of a SLURM job (`number:handle`)"))
    }
}

impl From<&SlurmJobId> for SchedulerJobId {
    fn from(id: &SlurmJobId) -> Self {
        Self(id.to_string())
    }
}

impl TryFrom<&SchedulerJobId> for SlurmJobId {
    type Error = String;

    fn try_from(id: &SchedulerJobId) -> Result<Self, String> {
        id.0.parse()
    }
}
