//! Files below a directory that somebody else writes to.
//!
//! A job owns its work directory and may put anything there: links to the outside, pipes that never end, directories
//! without bottom. Every path is walked component by component from an open directory, no link is followed, and only
//! regular files come back.

use nix::{
    fcntl::{openat, OFlag},
    sys::stat::Mode,
};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

/// Deepest nesting that is looked at.
pub const MAX_DEPTH: usize = 16;
/// Most directory entries that are looked at in one walk.
pub const MAX_ENTRIES: usize = 100_000;

/// A directory below which files are opened.
pub struct Beneath {
    root: OwnedFd,
}

/// A regular file that a walk found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Path relative to the directory, components separated by `/`.
    pub path: String,
    /// Length in bytes when it was seen.
    pub length: u64,
}

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// Regular files, sorted by path.
    pub files: Vec<Entry>,
    /// What was left out and why, for the customer.
    pub skipped: Vec<(String, Cow<'static, str>)>,
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned())
}

/// Whether a relative path names something strictly below: no empty, `.` or `..` component.
pub fn is_plain(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn flags() -> OFlag {
    // Without `O_NONBLOCK` the opening of a pipe would wait for ever.
    OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK
}

impl Beneath {
    /// Opens the directory itself, which must not be a link.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let root = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
            .open(directory)?;
        Ok(Self { root: root.into() })
    }

    /// Opens a regular file below the directory.
    ///
    /// Errors: `NotFound`; `PermissionDenied` for a link on the way, for anything but a regular file, and for a file
    /// that has other names (which may lie outside).
    pub fn file(&self, path: &str) -> io::Result<File> {
        if !is_plain(path) {
            return Err(refused("the path leaves its directory"));
        }
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at = self.root.try_clone()?;
        for part in parents.split('/').filter(|p| !p.is_empty()) {
            at = openat(
                at.as_fd(),
                part,
                flags() | OFlag::O_DIRECTORY,
                Mode::empty(),
            )?;
        }
        ours(File::from(openat(
            at.as_fd(),
            name,
            flags(),
            Mode::empty(),
        )?))
    }

    /// All regular files below, for as far as [`MAX_DEPTH`] and [`MAX_ENTRIES`] reach. Not more than [`MAX_DEPTH`]
    /// directories are open at a time, however many there are.
    pub fn walk(&self) -> io::Result<Walk> {
        let mut walk = Walk::default();
        let mut left = MAX_ENTRIES;
        list(&self.root, "", 0, &mut left, &mut walk)?;
        walk.files.sort();
        walk.skipped.sort();
        Ok(walk)
    }
}

/// Lists an open directory, then those in it. `left`: entries that may still be looked at.
fn list(
    directory: &OwnedFd,
    prefix: &str,
    depth: usize,
    left: &mut usize,
    walk: &mut Walk,
) -> io::Result<()> {
    let mut inner = Vec::new();
    // The open directory is listed through its descriptor, so that nothing can be exchanged under it.
    for entry in std::fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))? {
        let entry = entry?;
        if *left == 0 {
            walk.skipped
                .push((prefix.to_owned(), "too many files".into()));
            return Ok(());
        }
        *left -= 1;
        let name = entry.file_name();
        let Ok(name) = name.into_string() else {
            let shown = format!("{prefix}{}", entry.file_name().to_string_lossy());
            walk.skipped.push((shown, "the name is not UTF-8".into()));
            continue;
        };
        let path = format!("{prefix}{name}");
        // Whoever goes on writing there may take away again what was just listed.
        let Ok(kind) = entry.file_type() else {
            walk.skipped.push((path, "the file cannot be read".into()));
            continue;
        };
        if kind.is_dir() {
            match depth < MAX_DEPTH {
                true => inner.push(name),
                false => walk.skipped.push((path, "too deep".into())),
            }
        } else if kind.is_file() {
            match entry.metadata() {
                Ok(data) if data.nlink() != 1 => walk
                    .skipped
                    .push((path, "the file has more than one name".into())),
                Ok(data) => walk.files.push(Entry {
                    path,
                    length: data.len(),
                }),
                Err(_) => walk.skipped.push((path, "the file cannot be read".into())),
            }
        } else {
            walk.skipped.push((path, "not a regular file".into()));
        }
    }
    for name in inner {
        let path = format!("{prefix}{name}");
        let opened = openat(
            directory.as_fd(),
            name.as_str(),
            flags() | OFlag::O_DIRECTORY,
            Mode::empty(),
        );
        let listed = match opened {
            Ok(opened) => list(&opened, &format!("{path}/"), depth + 1, left, walk),
            Err(error) => Err(error.into()),
        };
        if listed.is_err() {
            walk.skipped
                .push((path, "the directory cannot be read".into()));
        }
    }
    Ok(())
}

/// Makes a directory that only its owner may enter; an existing one is kept.
pub fn private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Opens a regular file for reading and writing that has no other name, and makes it for its owner alone if it is not
/// there. The last component may be no link.
pub fn writable(path: &Path) -> io::Result<File> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    ours(file)
}

/// The file again, if it is a regular one that has no other name (which might lie outside).
fn ours(file: File) -> io::Result<File> {
    let kind = file.metadata()?;
    if !kind.is_file() {
        return Err(refused("not a regular file"));
    }
    if kind.nlink() != 1 {
        return Err(refused("the file has more than one name"));
    }
    Ok(file)
}

/// Writes a new file in place of what has that name.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::io::Write;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)
}

/// Makes what is in a file, or the names in a directory, outlive a power cut. It may be no link.
pub fn sync(path: &Path) -> io::Result<()> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    file.sync_all()
}

/// Gives a file its name so that a power cut does not take it away again.
pub fn rename_surely(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    match to.parent() {
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn file_should_open_what_is_below_and_nothing_else() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("job");
        std::fs::create_dir_all(root.join("sub/deeper")).unwrap();
        std::fs::write(root.join("sub/deeper/a.txt"), b"a").unwrap();
        std::fs::write(outer.path().join("secret"), b"s").unwrap();
        symlink(outer.path().join("secret"), root.join("link")).unwrap();
        symlink(outer.path(), root.join("way-out")).unwrap();
        std::fs::hard_link(outer.path().join("secret"), root.join("second-name")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();

        let beneath = Beneath::open(&root).unwrap();
        assert_eq!(
            io::read_to_string(beneath.file("sub/deeper/a.txt").unwrap()).unwrap(),
            "a"
        );
        for path in [
            "link",
            "way-out/secret",
            "../secret",
            "sub/../../secret",
            "/etc/hostname",
            "",
            ".",
            "sub",
            "pipe",
            "second-name",
            "sub//deeper/a.txt",
        ] {
            assert!(beneath.file(path).is_err(), "{path}");
        }
        assert_eq!(
            beneath.file("missing").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );

        let walk = beneath.walk().unwrap();
        assert_eq!(
            walk.files,
            [Entry {
                path: "sub/deeper/a.txt".into(),
                length: 1
            }]
        );
        let skipped: Vec<_> = walk.skipped.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(skipped, ["link", "pipe", "second-name", "way-out"]);
    }

    #[test]
    fn open_should_refuse_when_the_directory_is_a_link() {
        let outer = tempfile::tempdir().unwrap();
        symlink("/", outer.path().join("job")).unwrap();
        assert!(Beneath::open(&outer.path().join("job")).is_err());
    }

    #[test]
    fn walk_should_find_every_file_when_there_are_more_directories_than_may_be_open() {
        use nix::sys::resource::{getrlimit, setrlimit, Resource};
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most.min(512), most).unwrap();
        let outer = tempfile::tempdir().unwrap();
        for n in 0..1_500 {
            let directory = outer.path().join(format!("{n:04}"));
            std::fs::create_dir(&directory).unwrap();
            std::fs::write(directory.join("file"), b"x").unwrap();
        }
        let walk = Beneath::open(outer.path()).unwrap().walk().unwrap();
        assert_eq!((walk.files.len(), walk.skipped.len()), (1_500, 0));
    }

    #[test]
    fn walk_should_end_when_directories_nest_deeper_than_allowed() {
        let outer = tempfile::tempdir().unwrap();
        let deep = (0..MAX_DEPTH + 3).fold(outer.path().to_owned(), |path, _| path.join("d"));
        std::fs::create_dir_all(deep).unwrap();
        let walk = Beneath::open(outer.path()).unwrap().walk().unwrap();
        assert_eq!(walk.skipped.len(), 1);
    }
}
