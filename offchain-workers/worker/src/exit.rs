//! Exit codes. Stable: scripts and service managers rely on them.

/// All is well.
pub const OK: i32 = 0;
/// Something failed while running; starting again may help.
pub const RUNTIME: i32 = 1;
/// The configuration, the keys or the command line are wrong; starting again does not help.
pub const CONFIG: i32 = 2;
/// `check` found a problem.
pub const PROBLEM: i32 = 3;
