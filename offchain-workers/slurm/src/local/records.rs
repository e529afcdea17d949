//! What lies on disk. Each record is one JSON file, written whole or not at all, and never changed afterwards.

use std::{ffi::OsString, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::types::{EndState, SubmitSpec, UnixMs};

/// Version of the layout; a directory of another version is not touched.
pub(crate) const LAYOUT: u32 = 1;

/// How the shim is started: `program args… <job directory> …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimCommand {
    /// Absolute path of an executable that hands the rest of its command line to [`crate::shim::main`].
    pub program: PathBuf,
    /// What comes first on its command line: the name of a subcommand, or nothing for the executable `ve-shim`.
    pub args: Vec<OsString>,
}

/// `.ve-local.json` of a state directory: tells it from an empty mount point.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub layout: u32,
    pub created: UnixMs,
    pub nonce: String,
}

/// `job.json`: the job as submitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub layout: u32,
    pub submitted: UnixMs,
    /// Tasks that run at once.
    pub parallel: u32,
    /// Between the polite and the hard kill.
    pub kill_grace_ms: u64,
    /// Random; ends up in the environment of every process of the job.
    pub run: String,
    /// But for the script, which has a file of its own.
    pub spec: SubmitSpec,
}

/// `aN/started.json`: from here on attempt N counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    pub pid: i32,
    pub start_ticks: u64,
    pub boot_id: String,
    pub wall_ms: UnixMs,
    pub boot_ms: u64,
}

/// `aN/tM.begin.json`: task M may be running.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskBegin {
    pub wall_ms: UnixMs,
    pub boot_ms: u64,
}

/// `aN/tM.pid.json`: its process, which leads a session of its own. Only good for cleaning up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskProcess {
    pub pid: i32,
}

/// `aN/tM.end.json`: task M has ended in this attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskEnd {
    pub wall_ms: UnixMs,
    pub elapsed_ms: u64,
    pub state: EndState,
    pub detail: String,
}

/// `aN/beat.json`: the shim was alive then. Written once a second, not durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Beat {
    pub wall_ms: UnixMs,
    pub boot_ms: u64,
}

/// Why an attempt is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Over {
    /// The shim saw it through.
    Finished,
    /// The shim is gone: killed, or the machine went down.
    Lost,
}

/// `aN/ended.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AttemptEnd {
    pub over: Over,
    pub wall_ms: UnixMs,
}

/// `cancel.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CancelRequest {
    pub wall_ms: UnixMs,
}

/// `end.json`: the job is over. A shortcut: it follows from the other records.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobEnded {
    pub state: EndState,
    pub wall_ms: UnixMs,
}
