//! Named places at which a test can kill the process.
//!
//! Compiled to nothing unless the `failpoints` feature is on, which no release turns on. With it, [`arm`] selects a
//! name; the process aborts (no unwinding, no destructors, as a power cut would) when it gets there.

/// Every place, in the order in which an ordinary job passes them.
pub const NAMES: &[&str] = &[
    "adopted",
    "admitted",
    "accept-before-send",
    "accept-after-send",
    "stage-after-first-input",
    "staged",
    "submit-intended",
    "submitted",
    "submit-recorded",
    "update-before-send",
    "update-after-send",
    "log-intended",
    "log-stored",
    "report-evidence-stored",
    "report-persisted",
    "report-before-send",
    "report-after-send",
    "collect-archived",
    "collect-stored",
    "collect-persisted",
    "metered-out",
    "complete-before-send",
    "complete-after-send",
    "retired",
    "clean-before",
    "clean-directory-gone",
];

#[cfg(feature = "failpoints")]
static ARMED: std::sync::Mutex<Option<(String, u32)>> = std::sync::Mutex::new(None);

/// Selects the place at which the process dies, on the `nth` passage (1 is the first). `false` for an unknown name.
#[cfg(feature = "failpoints")]
pub fn arm(name: &str, nth: u32) -> bool {
    if !NAMES.contains(&name) {
        return false;
    }
    if let Ok(mut armed) = ARMED.lock() {
        *armed = Some((name.to_owned(), nth.max(1)));
    }
    true
}

/// Dies here if this place was armed.
#[cfg(feature = "failpoints")]
pub fn hit(name: &'static str) {
    debug_assert!(NAMES.contains(&name), "failpoint {name} is not in the list");
    let Ok(mut armed) = ARMED.lock() else { return };
    if let Some((wanted, left)) = armed.as_mut() {
        if wanted == name {
            *left = left.saturating_sub(1);
            if *left == 0 {
                std::process::abort();
            }
        }
    }
}

/// Nothing: the feature is off.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_: &'static str) {}

#[cfg(test)]
mod tests {
    #[test]
    fn names_should_be_distinct() {
        let distinct: std::collections::BTreeSet<_> = super::NAMES.iter().collect();
        assert_eq!(distinct.len(), super::NAMES.len());
    }
}
