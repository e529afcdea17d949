//! Named places that a job passes, for tests that kill the process at each of them.
//!
//! The role tells an [`Observer`] whenever it gets to one. The worker that is shipped passes [`unobserved`], and no
//! configuration, argument or variable gives it another: only a test's own executable can watch and die.

use std::sync::Arc;

/// Told the name of each place that is reached.
pub type Observer = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Nobody watches.
pub fn unobserved() -> Observer {
    Arc::new(|_| {})
}

/// Every place, in the order in which a job passes them that is disputed as soon as it has ended.
pub const NAMES: &[&str] = &[
    "adopted",
    "admitted",
    "accept-before-send",
    "stage-after-first-input",
    "staged",
    "accept-included",
    "submit-intended",
    "submitted",
    "submit-recorded",
    "accept-after-send",
    "update-before-send",
    "update-after-send",
    "log-intended",
    "log-stored",
    "report-evidence-stored",
    "report-persisted",
    "report-before-send",
    "report-after-send",
    "collect-archived",
    "collect-sealed",
    "collect-stored",
    "collect-persisted",
    "metered-out",
    "complete-before-send",
    "complete-after-send",
    "dispute-evidence-readable",
    "dispute-persisted",
    "dispute-before-send",
    "dispute-after-send",
    "retired",
    "clean-before",
    "clean-directory-gone",
];

/// Those that only a job on a cluster with a pool of identities passes.
pub const WITH_POOL: &[&str] = &["identity-leased", "identity-released"];

/// An observer that aborts the process (no unwinding, no destructors, as a power cut would) on the `nth` passage of a
/// place, 1 being the first. `None` for an unknown name. For tests.
pub fn dying_at(name: &str, nth: u32) -> Option<Observer> {
    let wanted = *NAMES
        .iter()
        .chain(WITH_POOL)
        .find(|known| **known == name)?;
    let left = std::sync::atomic::AtomicU32::new(nth.max(1));
    Some(Arc::new(move |place| {
        if place == wanted && left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            std::process::abort();
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_should_be_distinct() {
        let distinct: std::collections::BTreeSet<_> = NAMES.iter().chain(WITH_POOL).collect();
        assert_eq!(distinct.len(), NAMES.len() + WITH_POOL.len());
    }

    #[test]
    fn dying_at_should_refuse_a_place_that_does_not_exist() {
        assert!(dying_at("nowhere", 1).is_none());
        let observer = dying_at("staged", 2).unwrap();
        observer("submitted");
        observer("staged"); // the first passage is survived
    }
}
