//! Two clocks: one for people, one for measuring.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{clock_gettime, ClockId};

use crate::types::UnixMs;

/// Kernel ticks per second in `/proc`; fixed in the kernel's interface to user space.
const TICKS_PER_SECOND: u64 = 100;

/// Wall clock.
pub(crate) fn wall_ms() -> UnixMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
        .unwrap_or(0)
}

/// Milliseconds since boot, time asleep included. Never goes back, is not set by anybody, and means the same in every
/// process until the next boot.
pub(crate) fn boot_ms() -> u64 {
    match clock_gettime(ClockId::CLOCK_BOOTTIME) {
        Ok(t) => {
            let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
            let nanos = u64::try_from(t.tv_nsec()).unwrap_or(0);
            seconds
                .saturating_mul(1000)
                .saturating_add(nanos / 1_000_000)
        }
        // Cannot happen on Linux with this clock; zero makes every elapsed time zero, never too long.
        Err(_) => 0,
    }
}

/// A moment of [`boot_ms`] in the unit of process start times in `/proc`.
pub(crate) fn ticks(boot_ms: u64) -> u64 {
    boot_ms.saturating_mul(TICKS_PER_SECOND) / 1000
}

/// Names this boot of this machine. Empty if the kernel does not tell.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|s| s.trim().to_owned())
        .unwrap_or_default()
}
