//! Directories of jobs, laid out by one process for all jobs of a member that wait for it: to start a process as somebody else
//! costs more than what it does there.

use codec::{Decode, DecodeAll, Encode};
use std::{
    collections::HashMap,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
};
use ve_slurm::Gather;
use ve_templates::PlacedFile;

/// Most bytes of one request, but for one that is longer by itself.
const TOGETHER: usize = 16 << 20;

/// What is to lie in one job's directory; several of them in SCALE are a request to an agent. One that was cut is not taken
/// for whole.
#[derive(Debug, Encode, Decode)]
pub(super) struct LayOut {
    /// Name of the job's directory.
    pub name: String,
    pub directories: Vec<String>,
    pub files: Vec<PlacedFile>,
}

impl LayOut {
    pub(super) fn new(name: &str, directories: &[&str], files: &[PlacedFile]) -> Self {
        Self {
            name: name.to_owned(),
            directories: directories.iter().map(|&d| d.to_owned()).collect(),
            files: files.to_vec(),
        }
    }

    pub(super) fn read(from: &mut dyn Read) -> io::Result<Vec<Self>> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        Vec::decode_all(&mut &bytes[..]).map_err(io::Error::other)
    }
}

/// As requests of a bounded length, in order: each with how many it is about.
pub(super) fn requests(wanted: &[LayOut]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    let mut left = wanted;
    std::iter::from_fn(move || {
        let mut length = 0usize;
        let fits = |some: &&LayOut| {
            length = length.saturating_add(some.encoded_size());
            length <= TOGETHER
        };
        let count = left.iter().take_while(fits).count().max(1);
        let (some, rest) = left.split_at_checked(count)?;
        left = rest;
        Some((count, some.encode()))
    })
}

/// Those of one member that wait.
type Waiting = Arc<Gather<LayOut, io::Result<()>>>;

/// Those that wait, by member.
#[derive(Debug, Default)]
pub(super) struct LayOuts(Mutex<HashMap<String, Waiting>>);

impl LayOuts {
    /// Where those of a member wait.
    pub(super) fn of(&self, user: &str) -> Waiting {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.entry(user.to_owned()).or_default().clone()
    }
}
