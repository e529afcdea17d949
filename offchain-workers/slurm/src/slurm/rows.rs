//! SLURM's answers, whatever brought them. Times are unix seconds, UTC.

use super::{SlurmJobId, Tag, TaskSet};
use crate::types::Allocated;

/// One job, or one task of an array, as slurmctld knows it. It forgets ended ones after `MinJobAge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Job id; of an array, the id of the whole.
    pub job: u32,
    /// Job id of this very task. Tasks that were not started share the id of the whole, which the last one of them keeps.
    pub raw: u32,
    /// Which of its tasks.
    pub tasks: TaskSet,
    /// Its name, which its owner can change.
    pub name: String,
    /// Its comment, which its owner can change.
    pub comment: String,
    /// Its state, as one word or several.
    pub words: Vec<String>,
    /// Why it is in this state, as one word.
    pub reason: String,
    /// When it was submitted or, for a later attempt, requeued.
    pub submitted: u64,
    /// When the present attempt was started. For a waiting job SLURM gives its guess here: not to be relied on.
    pub started: Option<u64>,
    /// How many attempts there were before the present one, if that was asked for.
    pub restarts: Option<u32>,
}

/// One attempt as slurmdbd knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name of the cluster.
    pub cluster: String,
    /// Job id; of an array, the id of the whole.
    pub job: u32,
    /// Job id of this very task (`JobIDRaw`).
    pub raw: u32,
    /// Which of its tasks.
    pub tasks: TaskSet,
    /// Its name, which its owner can change.
    pub name: String,
    /// Its comment. Empty while the job runs, and always where the cluster does not store comments.
    pub comment: String,
    /// The command line of its submission, which nobody can change. Empty if it was submitted otherwise.
    pub submit_line: String,
    /// Its state, as one word or several.
    pub words: Vec<String>,
    /// Whether it was cancelled or requeued as the user that it belongs to.
    pub by_owner: bool,
    /// Exit status and signal of its script.
    pub exit: (u16, u16),
    /// When it was submitted, requeued or resized: with cluster, job and task the key of the attempt.
    pub submitted: u64,
    /// When it was started.
    pub started: Option<u64>,
    /// When it ended.
    pub ended: Option<u64>,
    /// How long it ran, or has run so far, in seconds, without the time for which it was suspended.
    pub elapsed_s: u64,
    /// For how long it was suspended, in seconds.
    pub suspended_s: u64,
    /// What was set aside for it; `None` if nothing ever was.
    pub allocated: Option<Allocated>,
}

impl Record {
    /// What its comment says, if it is one of ours.
    pub fn tag(&self) -> Option<Tag> {
        Tag::read(&self.comment)
    }

    /// The handle under which it was submitted, as far as can be told.
    pub fn handle(&self) -> &str {
        handle(&self.comment, &self.name)
    }

    /// Whether it is what slurmctld keeps of a request that no node could ever satisfy: it was refused and never was a job.
    pub(super) fn was_refused(&self) -> bool {
        self.words == ["FAILED"] && self.reason == "BadConstraints"
    }

    pub(super) fn is_of(&self, id: &SlurmJobId) -> bool {
        self.job == id.job && (self.handle() == id.handle || self.name == id.handle)
    }
}

impl Row {
    /// What its submission said, if it is one of ours.
    pub fn tag(&self) -> Option<Tag> {
        Tag::read_submit_line(&self.submit_line).or_else(|| Tag::read(&self.comment))
    }

    /// The handle under which it was submitted, as far as can be told.
    pub fn handle(&self) -> &str {
        match self.submit_line.split_once(" --comment=") {
            Some((_, comment)) => handle(comment, &self.name),
            None => handle(&self.comment, &self.name),
        }
    }

    /// The same in accounting.
    pub(super) fn was_refused(&self) -> bool {
        self.words == ["FAILED"] && self.allocated.is_none()
    }

    pub(super) fn is_of(&self, id: &SlurmJobId) -> bool {
        // The command line decides where there is one: an owner may have given his job another's name.
        self.job == id.job
            && (self.handle() == id.handle
                || (self.submit_line.is_empty() && self.name == id.handle))
    }
}

fn handle<'a>(comment: &'a str, name: &'a str) -> &'a str {
    match Tag::read(comment) {
        Some(_) => comment.split_ascii_whitespace().next().unwrap_or(name),
        None => name,
    }
}
