//! Why an envelope could not be sealed or opened.

/// Why an envelope could not be sealed or opened. Nothing of a body that failed may be used, also not what was
/// written before the failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An envelope without recipients could be opened by nobody.
    #[error("no recipients: name at least one public encryption key")]
    NoRecipients,
    /// More keys than a header holds.
    #[error("{0} recipients, but a header holds at most {max}: seal to fewer keys", max = virtengine_primitives::envelope::MAX_RECIPIENTS)]
    TooManyRecipients(usize),
    /// A public key that is no usable X25519 point.
    #[error(
        "encryption key {0} is not a usable X25519 public key: ask its owner to register another"
    )]
    BadPublicKey(String),
    /// A key that is not 32 bytes in hexadecimal.
    #[error("not a key: expected 64 hexadecimal digits, with or without 0x")]
    BadKeyText,
    /// The secret key is not among the recipients.
    #[error("this envelope is not sealed to key {0}: use one of its recipients' keys, or ask a recipient to rewrap it")]
    NotARecipient(String),
    /// The wrapped key did not open: it was altered, or it belongs to another chain, item or number.
    #[error("the wrapped key does not open: it was altered, or the envelope belongs to another chain, item or number")]
    Unwrap,
    /// The content key is not the one that sealed this body.
    #[error("the content key is not the one that sealed this body")]
    WrongContentKey,
    /// The header is not one that this version reads.
    #[error("malformed envelope: {0}")]
    Malformed(&'static str),
    /// The body ends too early.
    #[error("the body was truncated: fetch it again")]
    Truncated,
    /// A segment was altered, moved, or belongs to another binding.
    #[error("segment {0} does not authenticate: the body was altered, or it belongs to another chain, item or number")]
    Tampered(u64),
    /// The body's length is not the header's.
    #[error("the body has {found} bytes, its header says {expected}: fetch it again")]
    Length {
        /// What the header says.
        expected: u64,
        /// What was read.
        found: u64,
    },
    /// The body's hash is not the header's.
    #[error("the body's hash is not the header's: it is another body, fetch it again")]
    Hash,
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers; try again")]
    Random,
    /// Reading or writing failed.
    #[error("reading or writing an envelope: {0}")]
    Io(#[from] std::io::Error),
}
