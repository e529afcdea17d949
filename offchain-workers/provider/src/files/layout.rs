//! Directories of jobs, laid out by one process for all jobs of a member that wait for it: to start a process as somebody else
//! costs more than what it does there, and to bring many files to the disk little more than to bring one.

use super::PARTIAL;
use crate::beneath::{is_plain, private_directory, sync, write_new};
use codec::{Decode, DecodeAll, Encode};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use ve_slurm::Gather;
use ve_templates::PlacedFile;

/// Most bytes of one request, but for one that is longer by itself.
const TOGETHER: usize = 16 << 20;
/// Threads that wait for the disk: what it is asked for at the same time, it does at once.
const SYNCS: usize = 16;

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

    /// For the job's directory at `root`, beside the directory that it lies in.
    pub(super) fn at<'a>(
        root: &'a Path,
        directories: &[&str],
        files: &[PlacedFile],
    ) -> io::Result<(&'a Path, Self)> {
        match (
            root.parent(),
            root.file_name().and_then(|name| name.to_str()),
        ) {
            (Some(home), Some(name)) => Ok((home, Self::new(name, directories, files))),
            _ => Err(io::ErrorKind::InvalidInput.into()),
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

/// Lays out directories below `home`, each by itself: one answer for each.
pub(super) fn lay_out_all(home: &Path, wanted: &[LayOut]) -> Vec<io::Result<()>> {
    let written = wanted.iter().map(|wanted| Written::new(home, wanted));
    let written = on_disk(written.collect(), |one| {
        one.files.iter().map(|(at, _)| at.as_path()).collect()
    });
    let named = written.into_iter().map(|one| one.and_then(Written::name));
    let named = on_disk(named.collect(), |one| {
        one.directories.iter().map(PathBuf::as_path).collect()
    });
    named.into_iter().map(|one| one.map(drop)).collect()
}

/// A directory with its files, which are whole and have other names.
struct Written {
    /// Where each file is, and where it belongs.
    files: Vec<(PathBuf, PathBuf)>,
    /// Directories that files belong in.
    directories: BTreeSet<PathBuf>,
}

impl Written {
    fn new(home: &Path, wanted: &LayOut) -> io::Result<Self> {
        let directories = wanted.directories.iter();
        let paths = directories.chain(wanted.files.iter().map(|file| &file.path));
        if !paths.chain([&wanted.name]).all(|path| is_plain(path)) {
            return Err(io::Error::other("the path leaves its directory"));
        }
        let root = home.join(&wanted.name);
        private_directory(&root)?;
        for directory in &wanted.directories {
            private_directory(&root.join(directory))?;
        }
        let (mut files, mut directories) = (Vec::new(), BTreeSet::new());
        for (n, placed) in wanted.files.iter().enumerate() {
            let (at, target) = (root.join(partial(n)), root.join(&placed.path));
            let mode = if placed.executable { 0o700 } else { 0o600 };
            write_new(&at, &placed.bytes, mode)?;
            if let Some(parent) = target.parent() {
                if directories.insert(parent.to_owned()) {
                    private_directory(parent)?;
                }
            }
            files.push((at, target));
        }
        Ok(Self { files, directories })
    }

    /// Gives the files their names.
    fn name(self) -> io::Result<Self> {
        let mut files = self.files.iter();
        files.try_for_each(|(at, target)| std::fs::rename(at, target))?;
        Ok(self)
    }
}

/// Where the file with that number lies until it is whole.
pub(super) fn partial(n: usize) -> String {
    format!("{PARTIAL}.{n}")
}

/// Makes what is at some paths of each outlive a power cut.
fn on_disk(
    all: Vec<io::Result<Written>>,
    paths: impl Fn(&Written) -> Vec<&Path>,
) -> Vec<io::Result<Written>> {
    let mut waiting = Vec::new();
    for (n, one) in all.iter().enumerate() {
        let paths = one.as_ref().map(&paths).unwrap_or_default();
        waiting.extend(paths.into_iter().map(|path| (n, path)));
    }
    let threads = SYNCS.min(waiting.len());
    let waiting = Mutex::new(waiting.into_iter());
    let failed = Mutex::new(BTreeMap::new());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    let work = || {
        while let Some((n, path)) = next() {
            if let Err(error) = sync(path) {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.insert(n, error);
            }
        }
    };
    std::thread::scope(|scope| {
        // A member may be at the limit of its processes.
        let more = || {
            std::thread::Builder::new()
                .spawn_scoped(scope, work)
                .is_ok()
        };
        (1..threads).all(|_| more());
        work();
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let judged = all.into_iter().enumerate();
    judged
        .map(|(n, one)| failed.remove(&n).map_or(one, Err))
        .collect()
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
