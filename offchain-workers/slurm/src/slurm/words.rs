//! SLURM's words for the state of a job.
//!
//! slurmctld's words say what becomes of a job ([`phase`]), slurmdbd's how one attempt at it ended ([`end`]). The same
//! word can differ: in the queue `REQUEUED` waits, in accounting it is over.

use crate::{
    slurm::tag::signal_name,
    types::{EndState, Warning, WarningSignal},
};

/// Where a job or task stands, by slurmctld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waits to be started, for the first time or again.
    Waiting,
    /// Holds its resources, whether it runs, is stopped or is being cleaned up.
    Active,
    /// The same, and its time does not count meanwhile.
    Suspended,
    /// Over.
    Over,
    /// A word that this version does not know.
    Unclear(String),
}

impl Phase {
    /// Whether an attempt has begun and is not over.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }
}

/// Reads slurmctld's words: one from the command line and old REST versions, several from new ones
/// (`["RUNNING", "COMPLETING"]`). The first of these that applies: an unknown word; still being cleaned up; waiting; what the
/// base state says.
pub fn phase<S: AsRef<str>>(words: &[S]) -> Phase {
    let mut found = Phase::Over;
    let rank = |phase: &Phase| match phase {
        Phase::Over => 0,
        Phase::Active => 1,
        Phase::Suspended => 2,
        Phase::Waiting => 3,
        Phase::Unclear(_) => 5,
    };
    let mut cleaning = false;
    for word in words {
        let one = match first_word(word.as_ref()) {
            "PENDING" | "CONFIGURING" | "POWER_UP_NODE" | "REQUEUED" | "REQUEUE_FED"
            | "REQUEUE_HOLD" | "SPECIAL_EXIT" | "RESV_DEL_HOLD" => Phase::Waiting,
            "RUNNING" | "SIGNALING" | "STAGE_OUT" | "STOPPED" | "RESIZING" | "EXPEDITING" => {
                Phase::Active
            }
            "COMPLETING" => {
                cleaning = true;
                Phase::Active
            }
            "SUSPENDED" => Phase::Suspended,
            "COMPLETED" | "CANCELLED" | "FAILED" | "TIMEOUT" | "NODE_FAIL" | "PREEMPTED"
            | "BOOT_FAIL" | "DEADLINE" | "OUT_OF_MEMORY" | "REVOKED" | "LAUNCH_FAILED"
            | "RECONFIG_FAIL" | "UPDATE_DB" => Phase::Over,
            other => Phase::Unclear(other.to_owned()),
        };
        if rank(&one) > rank(&found) {
            found = one;
        }
    }
    if words.is_empty() {
        return Phase::Unclear(String::new());
    }
    match found {
        Phase::Unclear(word) => Phase::Unclear(word),
        _ if cleaning => Phase::Active,
        other => other,
    }
}

/// How an attempt stands, by slurmdbd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was not started yet.
    Waiting,
    /// It runs.
    Running,
    /// It runs, and its time does not count meanwhile.
    Suspended,
    /// It ended.
    Over {
        /// How.
        state: EndState,
        /// What else is to be said, for people, or empty.
        detail: String,
        /// Whether another attempt follows.
        next: Next,
    },
}

/// Whether another attempt follows one that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// None does.
    No,
    /// One does if the job may be requeued.
    Maybe,
    /// One does.
    Yes,
}

/// Reads slurmdbd's words, `exit` being the exit status and the signal.
///
/// A script that died of its own warning signal ran out of time. An attempt that was requeued or resized on request ended
/// as one that was cancelled: who asked cannot be told from accounting, the job's owner can, and what was used is used.
pub fn end<S: AsRef<str>>(words: &[S], exit: (u16, u16), warning: Option<Warning>) -> End {
    let over = |state, next| End::Over {
        state,
        detail: String::new(),
        next,
    };
    let word = words.first().map_or("", |word| word.as_ref());
    match first_word(word) {
        "PENDING" => End::Waiting,
        "RUNNING" | "COMPLETING" | "CONFIGURING" | "STOPPED" | "SIGNALING" | "STAGE_OUT" => {
            End::Running
        }
        "SUSPENDED" => End::Suspended,
        "COMPLETED" => over(EndState::Completed, Next::No),
        "FAILED" => match warning.filter(|w| exit.1 == number(w.signal)) {
            Some(warning) => End::Over {
                state: EndState::TimedOut,
                detail: format!(
                    "the script did not handle its warning signal {}",
                    signal_name(warning.signal)
                ),
                next: Next::No,
            },
            None => over(
                EndState::Failed {
                    exit_code: shell_code(exit),
                },
                Next::No,
            ),
        },
        "TIMEOUT" => over(EndState::TimedOut, Next::No),
        "DEADLINE" => End::Over {
            state: EndState::TimedOut,
            detail: "its deadline passed".to_owned(),
            next: Next::No,
        },
        "OUT_OF_MEMORY" => over(EndState::OutOfMemory, Next::No),
        "CANCELLED" => End::Over {
            state: EndState::Cancelled,
            detail: word
                .strip_prefix("CANCELLED by ")
                .map(|uid| format!("by user {uid}"))
                .unwrap_or_default(),
            next: Next::No,
        },
        "NODE_FAIL" => over(EndState::NodeFailure, Next::Maybe),
        "PREEMPTED" => over(EndState::Preempted, Next::Maybe),
        "BOOT_FAIL" | "LAUNCH_FAILED" | "RECONFIG_FAIL" => over(EndState::BootFailure, Next::Maybe),
        "REQUEUED" | "REQUEUE_HOLD" | "SPECIAL_EXIT" => End::Over {
            state: EndState::Cancelled,
            detail: "requeued on request".to_owned(),
            next: Next::Yes,
        },
        "RESIZING" => End::Over {
            state: EndState::Cancelled,
            detail: "went on with other resources".to_owned(),
            next: Next::Yes,
        },
        // REVOKED among them: another cluster of a federation took the job, and what it did there is not known here.
        other => over(EndState::Unknown(other.to_owned()), Next::Maybe),
    }
}

/// `CANCELLED by 1000` and `CANCELLED+` are CANCELLED.
fn first_word(text: &str) -> &str {
    text.split(' ')
        .next()
        .unwrap_or_default()
        .trim_end_matches('+')
}

fn number(signal: WarningSignal) -> u16 {
    use nix::sys::signal::Signal;
    let signal = match signal {
        WarningSignal::Usr1 => Signal::SIGUSR1,
        WarningSignal::Usr2 => Signal::SIGUSR2,
        WarningSignal::Int => Signal::SIGINT,
        WarningSignal::Term => Signal::SIGTERM,
    };
    u16::try_from(signal as i32).unwrap_or(0)
}

/// Status as a shell gives it. A job can fail without one, in its prolog say: 1.
fn shell_code((status, signal): (u16, u16)) -> u16 {
    match (status, signal) {
        (0, 0) => 1,
        (status, 0) => status,
        (_, signal) => signal.saturating_add(128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn phase_should_be_the_most_lasting_when_there_are_several_words() {
        assert_eq!(phase(&["RUNNING", "COMPLETING"]), Phase::Active);
        assert_eq!(phase(&["COMPLETED", "COMPLETING"]), Phase::Active);
        assert_eq!(phase(&["PENDING", "COMPLETING"]), Phase::Active);
        assert_eq!(phase(&["RUNNING", "CONFIGURING"]), Phase::Waiting);
        assert_eq!(phase(&["PENDING", "REQUEUE_HOLD"]), Phase::Waiting);
        assert_eq!(phase(&["SUSPENDED"]), Phase::Suspended);
        assert_eq!(phase(&["COMPLETED", "UPDATE_DB"]), Phase::Over);
        assert_eq!(phase(&["NODE_FAIL"]), Phase::Over);
        assert_eq!(
            phase(&["RUNNING", "SLEEPWALKING"]),
            Phase::Unclear("SLEEPWALKING".into())
        );
        assert_eq!(phase::<&str>(&[]), Phase::Unclear(String::new()));
    }

    fn state(word: &str, exit: (u16, u16), warning: Option<Warning>) -> EndState {
        match end(&[word], exit, warning) {
            End::Over { state, .. } => state,
            open => panic!("{word}: {open:?}"),
        }
    }

    #[test]
    fn end_should_say_whose_fault_it_was_when_an_attempt_is_over() {
        let warning = Some(Warning {
            signal: WarningSignal::Usr2,
            seconds_before: 60,
        });
        let failed = |exit_code| EndState::Failed { exit_code };
        for (word, exit, expected) in [
            ("COMPLETED", (0, 0), EndState::Completed),
            ("FAILED", (7, 0), failed(7)),
            ("FAILED", (0, 11), failed(139)),
            ("FAILED", (0, 0), failed(1)),
            ("FAILED", (0, 12), EndState::TimedOut),
            ("FAILED", (0, 10), failed(138)),
            ("TIMEOUT", (0, 0), EndState::TimedOut),
            ("DEADLINE", (0, 0), EndState::TimedOut),
            ("OUT_OF_MEMORY", (0, 125), EndState::OutOfMemory),
            ("CANCELLED by 1000", (0, 0), EndState::Cancelled),
            ("CANCELLED+", (0, 15), EndState::Cancelled),
            ("NODE_FAIL", (0, 0), EndState::NodeFailure),
            ("BOOT_FAIL", (0, 0), EndState::BootFailure),
            ("PREEMPTED", (0, 0), EndState::Preempted),
            ("REQUEUED", (0, 0), EndState::Cancelled),
            ("RESIZING", (0, 0), EndState::Cancelled),
            ("REVOKED", (0, 0), EndState::Unknown("REVOKED".into())),
            ("", (0, 0), EndState::Unknown(String::new())),
        ] {
            assert_eq!(state(word, exit, warning), expected, "{word} {exit:?}");
        }
        assert_eq!(end(&["PENDING"], (0, 0), None), End::Waiting);
        assert_eq!(end(&["RUNNING"], (0, 0), None), End::Running);
        assert_eq!(end(&["SUSPENDED"], (0, 0), None), End::Suspended);
    }

    proptest! {
        #[test]
        fn words_should_never_complete_a_job_when_they_are_not_known(word in "[A-Z_]{1,12}") {
            prop_assume!(word != "COMPLETED");
            if let End::Over { state, .. } = end(&[&word], (0, 0), None) {
                prop_assert_ne!(state, EndState::Completed);
            }
        }
    }
}
