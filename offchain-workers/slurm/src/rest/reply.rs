//! What slurmrestd says in a body, apart from what was asked for.
//!
//! The HTTP status alone decides nothing: an unknown job is 500 in one release and 404 in another, a body of errors may
//! come with 200.

use serde::Deserialize;

/// SLURM's numbers of errors that mean something here (`slurm/slurm_errno.h`), and slurmrestd's own.
pub(crate) mod code {
    /// No number, or the one that stands for none.
    pub const NONE: i64 = -1;
    /// `ESLURM_PROTOCOL_AUTHENTICATION_ERROR`, `SLURM_PROTOCOL_AUTHENTICATION_ERROR`.
    pub const AUTHENTICATION: i64 = 1007;
    /// `SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT`: how older slurmctld refuse a token, but also a connection that broke.
    pub const ZERO_BYTES: i64 = 5005;
    /// `SLURMCTLD_COMMUNICATIONS_CONNECTION_ERROR`: slurmctld was not reached, so it has not heard of the request.
    pub const NO_CONNECTION: i64 = 1800;
    /// `ESLURM_INVALID_PARTITION_NAME`.
    pub const PARTITION: i64 = 2000;
    /// `ESLURM_TOO_MANY_REQUESTED_CPUS`.
    pub const PROCESSORS: i64 = 2005;
    /// `ESLURM_INVALID_NODE_COUNT`.
    pub const NODE_COUNT: i64 = 2006;
    /// `ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE`.
    pub const NODES: i64 = 2014;
    /// `ESLURM_INVALID_JOB_ID`.
    pub const UNKNOWN_JOB: i64 = 2017;
    /// `ESLURM_ALREADY_DONE`.
    pub const ALREADY_DONE: i64 = 2021;
    /// `ESLURM_INVALID_ACCOUNT`: the account or the unix user, or no association of both.
    pub const ACCOUNT: i64 = 2045;
    /// `ESLURM_ACCOUNTING_POLICY`.
    pub const POLICY: i64 = 2050;
    /// `ESLURM_INVALID_TIME_LIMIT`.
    pub const TIME_LIMIT: i64 = 2051;
    /// `ESLURM_INVALID_QOS`.
    pub const QOS: i64 = 2066;
    /// slurmrestd: a body that it does not understand.
    pub const PARSING: i64 = 9001;
    /// slurmrestd: a query of accounting that nothing matches, which some versions call an error.
    pub const NOTHING_FOUND: i64 = 9003;
}

/// One entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// SLURM's number, or [`code::NONE`].
    pub code: i64,
    pub text: String,
}

/// As it comes: older versions say `error_code` on submission, `error_number` elsewhere.
#[derive(Debug, Deserialize)]
pub(crate) struct RawComplaint {
    error_number: Option<i64>,
    error_code: Option<i64>,
    error: Option<String>,
    description: Option<String>,
}

impl From<RawComplaint> for Complaint {
    fn from(raw: RawComplaint) -> Self {
        let code = raw.error_number.or(raw.error_code).unwrap_or(code::NONE);
        let parts: Vec<String> = [raw.error, raw.description].into_iter().flatten().collect();
        let text = match parts.as_slice() {
            [] => "no text".to_owned(),
            [one] => one.clone(),
            [one, two, ..] if one == two => one.clone(),
            all => all.join(": "),
        };
        Self { code, text }
    }
}

/// A body that could be read: what was asked for, and what slurmrestd has to say about it.
#[derive(Debug)]
pub(crate) struct Said<T> {
    pub errors: Vec<Complaint>,
    pub value: T,
}

impl<T> Said<T> {
    pub fn has(&self, code: i64) -> bool {
        self.errors.iter().any(|e| e.code == code)
    }

    /// Everything that was said, for people.
    pub fn text(&self) -> String {
        text(&self.errors)
    }
}

/// Complaints as one line.
pub(crate) fn text(errors: &[Complaint]) -> String {
    let all: Vec<String> = errors
        .iter()
        .map(|e| {
            if e.code == code::NONE {
                e.text.clone()
            } else {
                format!("{} ({})", e.text, e.code)
            }
        })
        .collect();
    // A hostile or broken server must not fill the log.
    all.join("; ").chars().take(500).collect()
}
