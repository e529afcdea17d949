use std::fmt;

/// Why there is no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The pixels do not make a picture of the given size, or a side is longer than 32,767 pixels.
    Size,
    /// No start and stop patterns of a PDF417 code are in the picture.
    NotFound,
    /// A code was found, but too much of it is damaged or too small.
    Unreadable,
    /// A code was read, but its codewords break the rules of the standard.
    Malformed(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str(
                "the pixels do not fit the size of the picture, or a side is longer than 32,767 pixels",
            ),
            Self::NotFound => f.write_str(
                "no PDF417 code found: photograph it whole, with the white margin around it",
            ),
            Self::Unreadable => f.write_str(
                "a PDF417 code was found but cannot be read: take the picture closer, sharper and without reflections",
            ),
            Self::Malformed(what) => write!(f, "the PDF417 code is not valid: {what}"),
        }
    }
}

impl std::error::Error for Error {}
