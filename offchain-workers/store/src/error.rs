//! Why the store did not do it.

use std::error::Error as _;

/// Why the store did not do it. After any error nothing was changed, except where the variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The record is not at the version that the caller read.
    #[error("{kind} {id} was changed by somebody else (expected version {expected}, found {found}): read it again")]
    Conflict {
        /// Kind of the record.
        kind: String,
        /// Its id.
        id: String,
        /// What the caller had; 0 for "not there".
        expected: u64,
        /// What is there; 0 for nothing.
        found: u64,
    },
    /// An action that was never enqueued, or was forgotten.
    #[error("no action has the key {0}")]
    NoAction(String),
    /// No such artifact.
    #[error("no artifact at {0}")]
    NotFound(String),
    /// An artifact whose content is not what its name promises.
    #[error("the artifact {0} is damaged: its content does not have the hash that names it; fetch it from another source")]
    Damaged(String),
    /// An artifact longer than the caller allows.
    #[error("the artifact {path} has {length} bytes, more than the allowed {limit}")]
    TooLong {
        /// Which artifact.
        path: String,
        /// Its length in bytes.
        length: u64,
        /// What the caller allows.
        limit: u64,
    },
    /// Nothing can be written because there is no room. Reading goes on working.
    #[error("no room to write {what}: free space on that disk (or raise its quota) and try again")]
    Full {
        /// What was being written.
        what: String,
    },
    /// Another process works on this database.
    #[error("{0} is in use by another process: stop that one first")]
    InUse(String),
    /// A database written by a newer version, or with another migration under the same number.
    #[error("{path} cannot be brought to this version: {reason}; use the program that wrote it, or a newer one")]
    Migration {
        /// Path of the database.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The database file is not sound.
    #[error("{path} is damaged ({reason}): restore it from a backup; the worker rebuilds what the chain knows")]
    Corrupt {
        /// Path of the database.
        path: String,
        /// What the check said.
        reason: String,
    },
    /// A value that does not fit its type.
    #[error("{kind} {id} cannot be read as what it should be: {source}")]
    Value {
        /// Kind of the record, or "action".
        kind: String,
        /// Its id or key.
        id: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// A location that cannot hold artifacts.
    #[error("artifact store {url}: {reason}")]
    Location {
        /// The URL as given.
        url: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Anything else from the database.
    #[error("database: {0}")]
    Database(sqlx::Error),
    /// Anything else from the object store.
    #[error("artifacts: {0}")]
    Objects(object_store::Error),
    /// Reading or writing a file failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// ENOSPC, EDQUOT and EFBIG: all mean that more cannot be written here.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(28 | 122 | 27))
        || matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull
                | std::io::ErrorKind::QuotaExceeded
                | std::io::ErrorKind::FileTooLarge
        )
}

impl Error {
    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        match is_full(&source) {
            true => Self::Full { what: what.into() },
            false => Self::Io {
                what: what.into(),
                source,
            },
        }
    }

    pub(crate) fn objects(path: &str, error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::NotFound(path.into());
        }
        let mut cause = error.source();
        while let Some(source) = cause {
            if source.downcast_ref::<std::io::Error>().is_some_and(is_full) {
                return Self::Full { what: path.into() };
            }
            cause = source.source();
        }
        Self::Objects(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .and_then(|c| c.parse::<u32>().ok());
        match code {
            // SQLITE_FULL; SQLITE_IOERR_WRITE, which is what a file size limit or a failing disk gives; and
            // SQLITE_IOERR_SHMSIZE: not even the index of the write-ahead log finds room.
            Some(13 | 778 | 4874) => Self::Full {
                what: "the database".into(),
            },
            // SQLITE_CORRUPT and SQLITE_NOTADB.
            Some(code) if code & 0xff == 11 || code == 26 => Self::Corrupt {
                path: "the database".into(),
                reason: error.to_string(),
            },
            _ => Self::Database(error),
        }
    }
}
