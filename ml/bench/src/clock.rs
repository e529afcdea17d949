//! Processor time of a thread: what a run costs, whatever else the machine does.

use anyhow::Result;
use nix::time::{clock_gettime, ClockId};
use std::time::Duration;

/// Runs something and says how long its thread computed.
pub fn timed<T>(what: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = now()?;
    let result = what()?;
    Ok((result, now()?.saturating_sub(start)))
}

/// Processor time of this thread so far.
pub fn now() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The time that a part of the runs does not exceed.
pub fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort();
    let last = times.len().saturating_sub(1) as f64;
    times
        .get((part * last).round() as usize)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_should_be_an_entry_when_there_are_entries() {
        let mut times = [3, 1, 2].map(Duration::from_secs);
        assert_eq!(quantile(&mut times, 0.5), Duration::from_secs(2));
        assert_eq!(quantile(&mut times, 1.0), Duration::from_secs(3));
        assert_eq!(quantile(&mut [], 0.5), Duration::ZERO);
    }
}
