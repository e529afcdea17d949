//! How a command fails: one line what, one line remedy, and a stable exit code.

use ve_chain::ChainError;

/// Exit codes. They do not change between versions.
pub mod code {
    /// Something on this machine failed (a file, a disk, the keystore).
    pub const LOCAL: u8 = 1;
    /// The command line, the configuration or a file given to it is wrong.
    pub const USAGE: u8 = 2;
    /// There is no such job, cluster, template, key or invoice.
    pub const NOT_FOUND: u8 = 3;
    /// The chain refused, or would refuse.
    pub const REFUSED: u8 = 4;
    /// The node did not answer; nothing is known.
    pub const UNREACHABLE: u8 = 5;
    /// What was to be verified does not hold.
    pub const VERIFICATION: u8 = 6;
    /// The job that was waited for did not complete.
    pub const JOB: u8 = 7;
}

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of [`code`].
    pub code: u8,
    /// What happened; names the field.
    pub what: String,
    /// What to do about it; may be empty when `what` says it.
    pub remedy: String,
}

/// What commands return.
pub type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    /// With a code of [`code`].
    pub fn new(code: u8, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// Wrong command line, configuration or file.
    pub fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(code::USAGE, what, remedy)
    }

    /// No such thing.
    pub fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(code::NOT_FOUND, what, remedy)
    }

    /// A failure of this machine.
    pub fn local(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(code::LOCAL, what, remedy)
    }

    /// A file that could not be read or written.
    pub fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => {
                "check the permissions of the file and its folder"
            }
            std::io::ErrorKind::StorageFull => "free space on that disk",
            _ => "check the file and its folder",
        };
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => code::NOT_FOUND,
            _ => code::LOCAL,
        };
        Self::new(code, format!("{doing} {}: {error}", path.display()), remedy)
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        let what = error.to_string();
        match error {
            ChainError::RuntimeRefused { call, pallet, name, docs } => Self::new(
                code::REFUSED,
                format!("the chain refused {call}: {pallet}.{name}"),
                docs,
            ),
            ChainError::WouldRefuse { pallet, name, docs } => Self::new(
                code::REFUSED,
                format!("the chain would refuse this: {pallet}.{name}"),
                docs,
            ),
            ChainError::InvalidTransaction { ref reason, .. } if reason.contains("pay some fees") => Self::new(
                code::REFUSED,
                what,
                "the account cannot pay the fee: send it some VE first, or pay in an asset that the chain takes with --fee-asset",
            ),
            ChainError::InvalidTransaction { .. } => Self::new(
                code::REFUSED,
                what,
                "nothing was done; try again, and see whether another program signs with the same key",
            ),
            ChainError::Unreachable { .. } => Self::new(
                code::UNREACHABLE,
                what,
                "start the node or give its address with --url (nothing is known about the chain now)",
            ),
            ChainError::Timeout { .. } => Self::new(
                code::UNREACHABLE,
                what,
                "look whether it happened (`ve jobs`) before doing it again",
            ),
            ChainError::NotIncluded { .. } => Self::new(code::UNREACHABLE, what, "nothing was done; it is safe to do it again"),
            ChainError::BadUrl { .. } => Self::usage(what, "write it like ws://127.0.0.1:9944"),
            ChainError::WrongGenesis { .. } => Self::usage(
                what,
                "this is another chain: correct --url, or `genesis` in the configuration",
            ),
            ChainError::Incompatible(_) => Self::new(
                code::UNREACHABLE,
                what,
                "use the version of `ve` that belongs to the chain's runtime",
            ),
            ChainError::NoBlock(_) => Self::missing(what, "ask an archive node with --url"),
            ChainError::Rpc { .. } => Self::new(code::UNREACHABLE, what, "see the node's log"),
            ChainError::BadSecret(_) => Self::usage(what, "check the secret"),
        }
    }
}

impl From<ve_store::Error> for Failure {
    fn from(error: ve_store::Error) -> Self {
        let what = error.to_string();
        match error {
            ve_store::Error::NotFound(_) => Self::missing(
                format!("the artifact store: {what}"),
                "is --artifacts the store that the provider uses?",
            ),
            _ => Self::local(
                format!("the artifact store: {what}"),
                "check --artifacts (`ve doctor`)",
            ),
        }
    }
}

impl From<ve_envelope::Error> for Failure {
    fn from(error: ve_envelope::Error) -> Self {
        let remedy = match &error {
            ve_envelope::Error::NotARecipient(_) => "use the key that it was sealed to (--key)",
            _ => "fetch it again; if that does not help, ask its sender to seal it anew",
        };
        Self::local(error.to_string(), remedy)
    }
}
