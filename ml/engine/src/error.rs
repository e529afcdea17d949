use core::fmt;

/// Why an artefact was refused, or an input was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes do not begin with the mark of an artefact.
    NotAnArtefact,
    /// The artefact has a format that this engine does not know.
    Version(u32),
    /// The bytes end before the artefact does.
    Truncated,
    /// Bytes follow the end of the artefact, or padding is not zero: the same network could have two hashes.
    NotCanonical,
    /// Something in the header (input, outputs, counts) cannot be.
    Header(&'static str),
    /// An operator cannot be executed as written.
    Op {
        /// Position of the operator.
        op: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An accumulator or a product of this channel could overflow for some input.
    Overflow {
        /// Position of the operator.
        op: usize,
        /// Output channel.
        channel: usize,
    },
    /// The input does not have the size that the network takes.
    InputSize {
        /// Bytes that the network takes: height x width x channels.
        expected: usize,
        /// Bytes that were given.
        given: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
			Self::NotAnArtefact => f.write_str("not a network artefact: the file does not begin with VEML"),
			Self::Version(v) => write!(f, "artefact format {v} is not known here; this engine reads format 1"),
			Self::Truncated => f.write_str("the artefact ends too early: fetch it again and compare its hash"),
			Self::NotCanonical => f.write_str("the artefact has trailing bytes or padding that is not zero"),
			Self::Header(reason) => write!(f, "artefact header: {reason}"),
			Self::Op { op, reason } => write!(f, "operator {op}: {reason}"),
			Self::Overflow { op, channel } =>
				write!(f, "operator {op}: channel {channel} could overflow; export it with a smaller activation limit"),
			Self::InputSize { expected, given } => write!(f, "the network takes {expected} bytes, {given} were given"),
		}
    }
}

impl core::error::Error for Error {}
