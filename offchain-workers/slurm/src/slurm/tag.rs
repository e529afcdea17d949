//! What a job's comment says.

use std::fmt;

use crate::{
    check::is_handle,
    types::{Warning, WarningSignal},
};

/// The comment of a job: its handle, and what has to be known of the submission to read its accounting.
///
/// Written `ve-0123abcd-7 tasks=5 warning=USR1@60`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Our name for the job.
    pub handle: String,
    /// Number of array tasks; 1 for a plain job.
    pub tasks: u32,
    /// Warning that was asked for.
    pub warning: Option<Warning>,
}

/// The name of a signal without `SIG`.
pub fn signal_name(signal: WarningSignal) -> &'static str {
    match signal {
        WarningSignal::Usr1 => "USR1",
        WarningSignal::Usr2 => "USR2",
        WarningSignal::Int => "INT",
        WarningSignal::Term => "TERM",
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks={}", self.handle, self.tasks)?;
        match self.warning {
            Some(w) => write!(f, " warning={}@{}", signal_name(w.signal), w.seconds_before),
            None => Ok(()),
        }
    }
}

impl Tag {
    /// Reads a comment. `None` if it does not begin with a handle and a number of tasks: then it is not ours.
    pub fn read(comment: &str) -> Option<Self> {
        let mut words = comment.split_ascii_whitespace();
        let handle = words.next().filter(|word| is_handle(word))?;
        let tasks = words.next()?.strip_prefix("tasks=")?.parse().ok()?;
        let warning = words.next().and_then(read_warning);
        (tasks > 0).then(|| Self {
            handle: handle.to_owned(),
            tasks,
            warning,
        })
    }

    /// Reads the command line of a submission, which the job's owner cannot change afterwards.
    pub fn read_submit_line(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(" --comment=")?;
        Self::read(rest)
    }
}

fn read_warning(word: &str) -> Option<Warning> {
    let (name, seconds) = word.strip_prefix("warning=")?.split_once('@')?;
    let signal = [
        WarningSignal::Usr1,
        WarningSignal::Usr2,
        WarningSignal::Int,
        WarningSignal::Term,
    ]
    .into_iter()
    .find(|signal| signal_name(*signal) == name)?;
    Some(Warning {
        signal,
        seconds_before: seconds.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags() -> impl Strategy<Value = Tag> {
        let signals = prop_oneof![
            Just(WarningSignal::Usr1),
            Just(WarningSignal::Usr2),
            Just(WarningSignal::Int),
            Just(WarningSignal::Term)
        ];
        let warnings = prop::option::of((signals, any::<u32>()));
        ("[a-z0-9][A-Za-z0-9_-]{0,63}", 1u32.., warnings).prop_map(|(handle, tasks, warning)| Tag {
            handle,
            tasks,
            warning: warning.map(|(signal, seconds_before)| Warning {
                signal,
                seconds_before,
            }),
        })
    }

    proptest! {
        #[test]
        fn tag_should_be_read_back_when_it_was_written(tag in tags()) {
            prop_assert_eq!(Tag::read(&tag.to_string()), Some(tag.clone()));
            let line = format!("sbatch --job-name={} --comment={tag} --nodes=1-1", tag.handle);
            prop_assert_eq!(Tag::read_submit_line(&line), Some(tag));
        }

        #[test]
        fn tag_should_be_refused_or_stay_itself_when_the_comment_is_anything(text in ".*") {
            if let Some(tag) = Tag::read(&text) {
                prop_assert_eq!(Tag::read(&tag.to_string()), Some(tag));
            }
        }
    }
}
