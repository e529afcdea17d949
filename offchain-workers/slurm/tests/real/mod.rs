//! What the tests of both SLURM schedulers share: real daemons, a place that jobs of another user reach, a run of the
//! conformance suite, and failure runs, each on a cluster of its own.

pub mod away;
mod conforms;
pub mod customers;
#[path = "../../../../tests/support/slurm_daemons.rs"]
mod daemons;
pub mod interfered;
pub mod run;
#[allow(dead_code)] // Not all of its users ask for everything.
#[path = "../../../../tests/support/small_disk.rs"]
mod small_disk;
pub mod truth;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

pub use conforms::assert_conforms;
pub use daemons::Daemons;
use tempfile::TempDir;
use ve_slurm::Health;

pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The user of this process.
pub fn me() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    user.ok().flatten().expect("this user has a name").name
}

/// As whom jobs run on a cluster of the test's own: as root, a member of the pool that the cluster's script makes.
pub fn job_user() -> String {
    let me = me();
    if me == "root" {
        "ve-job-1".to_owned()
    } else {
        me
    }
}

/// A directory that every user may enter; and from now on this process makes files in which everybody may write, because
/// jobs run as somebody else.
pub fn shared_directory(parent: PathBuf) -> TempDir {
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let shared = TempDir::with_prefix_in("ve-slurm-", parent).expect("shared directory");
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    shared
}

/// The directory that nodes of a given cluster share with this machine.
pub fn given_directory() -> PathBuf {
    variable("VE_SLURM_DIR").map_or_else(|| "/tmp".into(), PathBuf::from)
}

/// Whether a cluster counts as healthy as its clock allows, and people are told what to do about a wrong one.
pub fn assert_clock_judged(health: &Health, right: bool) {
    match health {
        Health::Ok => assert!(right, "a wrong clock was not seen"),
        Health::Unknown(text) => {
            assert!(
                !right && text.contains("clock") && text.contains("NTP"),
                "{text}"
            );
        }
    }
}
