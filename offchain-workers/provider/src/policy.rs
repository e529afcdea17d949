//! What follows from a failed step. One function, so that no step invents a policy of its own.

use std::time::Duration;
use virtengine_primitives::hpc::EndReason;

/// Who did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The chain's node.
    Chain,
    /// The cluster's scheduler.
    Scheduler,
    /// The artifact store.
    Artifacts,
    /// The worker's own database.
    Store,
    /// The file system of the work directories.
    Disk,
    /// A process that acts as a member of an identity pool, whose jobs can stop it.
    Member,
}

impl Outside {
    /// Word for people and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Scheduler => "scheduler",
            Self::Artifacts => "artifacts",
            Self::Store => "store",
            Self::Disk => "disk",
            Self::Member => "member",
        }
    }

    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Chain,
        Self::Scheduler,
        Self::Artifacts,
        Self::Store,
        Self::Disk,
        Self::Member,
    ];
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Somebody did not answer, or not usably. Nothing is known, so nothing is concluded.
    #[error("the {} gave no usable answer: {reason}", outside.name())]
    Unanswered {
        /// Who.
        outside: Outside,
        /// What was seen.
        reason: String,
    },
    /// The chain executed the call and refused it: what we know of the job is out of date.
    #[error("the chain refused: {0}")]
    Refused(String),
    /// The job can never be run, or not to its end.
    #[error("{explanation}")]
    Hopeless {
        /// How it ends.
        reason: EndReason,
        /// Why, for the customer: which field, and what to do.
        explanation: String,
    },
}

impl StepError {
    /// For `map_err`: somebody did not answer.
    pub fn unanswered<E: std::fmt::Display>(outside: Outside) -> impl FnOnce(E) -> Self {
        move |error| Self::Unanswered {
            outside,
            reason: error.to_string(),
        }
    }

    /// For `map_err`: a job's files could not be worked with. That one member's process fell silent says nothing of the
    /// disk.
    pub fn files(error: std::io::Error) -> Self {
        let silent = error.kind() == std::io::ErrorKind::TimedOut && error.raw_os_error().is_none();
        let outside = if silent {
            Outside::Member
        } else {
            Outside::Disk
        };
        Self::unanswered(outside)(error)
    }

    /// The customer's input or parameters are wrong.
    pub fn bad_input(explanation: impl Into<String>) -> Self {
        Self::Hopeless {
            reason: EndReason::BadInput,
            explanation: explanation.into(),
        }
    }

    /// The provider cannot do what it accepted.
    pub fn ours(explanation: impl Into<String>) -> Self {
        Self::Hopeless {
            reason: EndReason::ProviderFailure,
            explanation: explanation.into(),
        }
    }
}

/// What to do about a failed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Read everything again and decide anew, not before this much time.
    DecideAgain(Duration),
    /// End the job.
    End(EndReason, String),
}

/// Longest pause between two attempts.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pause before attempt `failures + 1`: doubles from half a second, never above [`LONGEST_PAUSE`], and half of it
/// drawn by `jitter` (0 to 1), so that a thousand jobs do not come back at the same instant.
pub fn pause(failures: u32, jitter: f64) -> Duration {
    let whole = Duration::from_millis(500)
        .saturating_mul(1 << failures.min(10))
        .min(LONGEST_PAUSE);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// What to do about a failed step of a job that has failed `failures` times in a row before.
///
/// Only [`StepError::Hopeless`] ends a job: whoever is unreachable is unknown, and a refusal says that the chain knows
/// better. Everything else is decided again, from what is read again; nothing is sent again blindly.
pub fn on_error(error: &StepError, failures: u32, jitter: f64) -> Verdict {
    match error {
        StepError::Unanswered { .. } | StepError::Refused(_) => {
            Verdict::DecideAgain(pause(failures, jitter))
        }
        StepError::Hopeless {
            reason,
            explanation,
        } => Verdict::End(*reason, explanation.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_error_should_never_end_a_job_when_somebody_did_not_answer() {
        for outside in Outside::ALL {
            for failures in [0, 1, 5, 1_000, u32::MAX] {
                let error = StepError::Unanswered {
                    outside,
                    reason: "gone".into(),
                };
                assert!(matches!(
                    on_error(&error, failures, 0.5),
                    Verdict::DecideAgain(_)
                ));
            }
        }
        assert!(matches!(
            on_error(&StepError::Refused("no".into()), 99, 0.0),
            Verdict::DecideAgain(_)
        ));
    }

    #[test]
    fn on_error_should_end_the_job_when_it_can_never_run() {
        let verdict = on_error(&StepError::bad_input("steps: too many"), 0, 0.0);
        assert_eq!(
            verdict,
            Verdict::End(EndReason::BadInput, "steps: too many".into())
        );
    }

    #[test]
    fn pause_should_grow_and_stay_bounded() {
        assert_eq!(pause(0, 0.0), Duration::from_millis(250));
        assert_eq!(pause(0, 1.0), Duration::from_millis(500));
        assert!(pause(3, 0.0) > pause(1, 1.0));
        assert_eq!(pause(u32::MAX, 1.0), LONGEST_PAUSE);
    }
}
