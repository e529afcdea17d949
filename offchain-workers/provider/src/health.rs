//! Whether the role gets its work done, for `/healthz`.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Written by the role, read by whoever asks. Clones share it.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    last_round: Option<Instant>,
    problem: Option<String>,
}

impl Health {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Everything could be read and decided.
    pub fn good(&self) {
        *self.state() = State {
            last_round: Some(Instant::now()),
            problem: None,
        };
    }

    /// Something stands in the way.
    pub fn bad(&self, problem: impl Into<String>) {
        self.state().problem = Some(problem.into());
    }

    /// `Err` with the reason if nothing could be decided for `patience`.
    pub fn check(&self, patience: Duration) -> Result<(), String> {
        let state = self.state();
        match (state.last_round, &state.problem) {
            (Some(at), None) if at.elapsed() <= patience => Ok(()),
            // A short interruption is normal; it is worth an alarm when it lasts.
            (Some(at), Some(_)) if at.elapsed() <= patience => Ok(()),
            (_, Some(problem)) => Err(problem.clone()),
            (None, None) => Err("starting".into()),
            (Some(at), None) => Err(format!(
                "nothing was decided for {} s",
                at.elapsed().as_secs()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_should_tolerate_a_short_interruption_and_report_a_long_one() {
        let health = Health::default();
        let patience = Duration::from_secs(60);
        assert_eq!(health.check(patience), Err("starting".into()));
        health.bad("no node");
        assert_eq!(health.check(patience), Err("no node".into()));
        health.good();
        assert_eq!(health.check(patience), Ok(()));
        health.bad("no node");
        assert_eq!(health.check(patience), Ok(()));
        assert_eq!(health.check(Duration::ZERO), Err("no node".into()));
    }
}
