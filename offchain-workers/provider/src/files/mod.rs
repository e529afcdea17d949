//! The files of one job: written before it starts, read while it runs and when it has ended, removed in the end.
//!
//! On a cluster with identities they belong to the job's own unix user, and only a process of that user touches them:
//! the worker streams bytes to and from an [`agent`] that runs as it. What an agent says is believed only as far as it
//! concerns that user's own data: whoever owns the files could have put an answer into its mouth.

pub mod agent;
mod direct;
mod exchange;
mod layout;
mod members;
mod remote;
mod wire;

pub use direct::Direct;
pub use remote::{Agent, AsMember, SILENCE};

use crate::beneath::Walk;
use std::io::{self, Read, Write};
use ve_templates::PlacedFile;

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Wanted {
    /// Path below the job's directory, components separated by `/`.
    pub path: String,
    /// First byte.
    pub offset: u64,
    /// Most bytes.
    pub most: u64,
}

/// Told the position of what was wanted and the bytes that are there, which may be fewer.
pub type Taker<'a> = dyn FnMut(usize, io::Result<&mut dyn Read>) -> io::Result<()> + 'a;

/// The files below one job's directory. All calls block; none follows a link.
pub trait JobFiles: Send + Sync {
    /// Makes the job's directory, those below it, and files with the directories that they lie in, all for their owner
    /// alone. Content and names of the files are on disk when this returns; the names of new directories may not be yet.
    /// Directories that are there are kept, files are replaced, each whole.
    fn lay_out(&self, directories: &[&str], files: &[PlacedFile]) -> io::Result<()>;

    /// Length of a regular file; `None` if there is none of that name.
    fn length(&self, path: &str) -> io::Result<Option<u64>>;

    /// Begins to write a file of exactly `length` bytes, whose directory exists. It appears under its name when it is
    /// whole and committed, and not at all before. One file is written at a time.
    ///
    /// It is known by `mark` within the job: what an earlier call for the same mark wrote and did not commit is kept, as
    /// far as it is surely on disk. Says how many bytes that is, a multiple of [`STEP`] below `length`: writing goes on
    /// behind them. With `afresh` nothing is kept.
    fn put(
        &self,
        path: &str,
        length: u64,
        mark: &str,
        afresh: bool,
    ) -> io::Result<(Box<dyn Put>, u64)>;

    /// Reads parts of regular files, in order. What a file lacks, and why one cannot be read, goes to `take`; an error
    /// of `take` ends it.
    fn read(&self, wanted: &[Wanted], take: &mut Taker<'_>) -> io::Result<()>;

    /// All regular files below a directory.
    fn walk(&self, path: &str) -> io::Result<Walk>;

    /// Removes the job's directory with all that is in it. Gone already is fine.
    fn remove(&self) -> io::Result<()>;
}

/// A file on its way. Dropped without [`Put::commit`], it leaves nothing under its name.
///
/// An error of kind `TimedOut` without a number of the system, of this or of any call of [`JobFiles`], says that an agent
/// fell silent or was ended: nothing is known of how far it came, and whoever did that may be a job of the same user.
pub trait Put: Write + Send {
    /// All bytes were written: on disk under its name when this returns.
    fn commit(self: Box<Self>) -> io::Result<()>;
}

/// What [`JobFiles::put`] calls it, towards an agent, when nothing is to be kept; otherwise `resume`.
const AFRESH: &str = "afresh";
/// What the name of a file begins with until it is whole, below the job's directory: one that is laid out with others has
/// `.` and its number behind it, one that may be gone on with `-` and its mark.
const PARTIAL: &str = "partial";
/// Of a file that may be gone on with nothing is written beyond a multiple of so many bytes before all up to there is on
/// disk.
pub const STEP: u64 = 16 << 20;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
