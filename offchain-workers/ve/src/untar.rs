//! Unpacks a result: plain files beneath one folder, and nothing else.
//!
//! A result was sealed by a provider, who may be anybody: no path leaves the folder, no link is made or followed, no
//! size is believed beyond what was announced.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

const BLOCK: usize = 512;
/// Most entries, and folders that their names imply: each takes memory.
pub const MOST: usize = 1_000_000;

/// One file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Below the folder.
    pub path: PathBuf,
    /// Length in bytes.
    pub length: u64,
}

/// Why an archive was not unpacked (any further).
#[derive(Debug)]
pub enum Refusal {
    /// Writing failed.
    Io(PathBuf, io::Error),
    /// The archive could not be read.
    Unreadable(io::Error),
    /// It is not a plain archive.
    Bad(String),
    /// It has more than [`MOST`] files and folders.
    TooMany,
    /// A file is there already.
    Exists(PathBuf),
}

fn bad(what: impl Into<String>) -> Refusal {
    Refusal::Bad(what.into())
}

fn number(field: &[u8]) -> Result<u64, Refusal> {
    if let Some((first, rest)) = field.split_first() {
        if *first == 0x80 {
            // Base 256, as GNU tar writes numbers that do not fit.
            let (high, low) = rest.split_at(rest.len().saturating_sub(8));
            if high.iter().any(|b| *b != 0) {
                return Err(bad("a number in a header is too large"));
            }
            return Ok(low.iter().fold(0, |n, b| (n << 8) | u64::from(*b)));
        }
    }
    let text: Vec<u8> = field
        .iter()
        .copied()
        .filter(|b| !matches!(b, 0 | b' '))
        .collect();
    let text = std::str::from_utf8(&text).map_err(|_| bad("a number in a header is no number"))?;
    if text.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(text, 8).map_err(|_| bad("a number in a header is no number"))
}

fn text(field: &[u8]) -> Result<&str, Refusal> {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    std::str::from_utf8(field.get(..end).unwrap_or_default())
        .map_err(|_| bad("a name is not UTF-8"))
}

/// The path of an entry, if it stays beneath the folder.
fn beneath(name: &str) -> Result<PathBuf, Refusal> {
    let path = Path::new(name);
    let safe = !name.is_empty()
        && !name.chars().any(|c| crate::ui::deceives(c) || c == '\\')
        && path
            .components()
            .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let clean: PathBuf = path
        .components()
        .filter(|c| matches!(c, Component::Normal(_)))
        .collect();
    if safe && !clean.as_os_str().is_empty() {
        Ok(clean)
    } else {
        Err(bad(format!("the name {name:?} leads out of the folder")))
    }
}

/// Names in an archive, without writing anything: everything is checked, to the end, before the first file is made.
pub fn list(mut archive: impl Read) -> Result<Vec<Written>, Refusal> {
    let mut found = Vec::new();
    walk(&mut archive, |path, length, _| {
        found.push(Written {
            path: path.into(),
            length,
        });
        Ok(())
    })?;
    skip(&mut archive)?;
    Ok(found)
}

fn skip(rest: &mut dyn Read) -> Result<u64, Refusal> {
    io::copy(rest, &mut io::sink()).map_err(Refusal::Unreadable)
}

/// Hands path, length and content of each file to `each`, which may leave content unread.
fn walk(
    archive: &mut dyn Read,
    mut each: impl FnMut(&Path, u64, &mut dyn Read) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for entries in 0..=MOST {
        if entries + folders.len() > MOST {
            break;
        }
        let mut header = [0; BLOCK];
        archive
            .read_exact(&mut header)
            .map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => bad("it has no end"),
                _ => Refusal::Unreadable(e),
            })?;
        if header.iter().all(|b| *b == 0) {
            return Ok(());
        }
        let field = |range: std::ops::Range<usize>| header.get(range).unwrap_or_default();
        let sum: u64 = header
            .iter()
            .enumerate()
            .map(|(i, b)| {
                if (148..156).contains(&i) {
                    u64::from(b' ')
                } else {
                    u64::from(*b)
                }
            })
            .sum();
        if number(field(148..156))? != sum {
            return Err(bad("a header's sum is wrong"));
        }
        let length = number(field(124..136))?;
        let kind = header.get(156).copied().unwrap_or_default();
        let (prefix, name) = (text(field(345..500))?, text(field(0..100))?);
        let name = if prefix.is_empty() {
            name.to_string()
        } else {
            format!("{prefix}/{name}")
        };
        let whole = length.checked_next_multiple_of(BLOCK as u64);
        let padding =
            whole.ok_or_else(|| bad(format!("the length of {name:?} is too large")))? - length;
        let mut content = (&mut *archive).take(length);
        match kind {
            b'0' | 0 => {
                let path = beneath(&name)?;
                if !seen.insert(path.clone()) {
                    return Err(bad(format!("{name:?} is there twice")));
                }
                let above = || path.ancestors().skip(1);
                if folders.contains(&path) || above().any(|folder| seen.contains(folder)) {
                    return Err(bad(format!("{name:?} is both a file and a folder")));
                }
                folders.extend(above().map(PathBuf::from));
                each(&path, length, &mut content)?;
            }
            b'5' => {
                beneath(&name)?;
            }
            other => {
                return Err(bad(format!(
                    "{name:?} is neither a file nor a folder (type {:?})",
                    other as char
                )))
            }
        }
        skip(&mut content)?;
        if content.limit() > 0 {
            return Err(bad("it ends in the middle of a file"));
        }
        skip(&mut (&mut *archive).take(padding))?;
    }
    Err(Refusal::TooMany)
}

/// Unpacks an archive into a folder, which is made if missing. Nothing is written if anything is wrong with it: it is
/// read `first` to be checked, and `again` to be unpacked.
pub fn unpack(
    first: impl Read,
    mut again: impl Read,
    folder: &Path,
    force: bool,
) -> Result<Vec<Written>, Refusal> {
    let files = list(first)?;
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |e| Refusal::Io(path, e)
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    // A link that lies in the folder already must not lead elsewhere.
    for file in &files {
        let mut at = folder.to_path_buf();
        for part in file.path.components() {
            at.push(part);
            match fs::symlink_metadata(&at) {
                Ok(meta) if meta.is_symlink() => {
                    return Err(bad(format!("{} is a link", at.display())))
                }
                Ok(meta) if at == folder.join(&file.path) && (meta.is_dir() || !force) => {
                    return Err(Refusal::Exists(at))
                }
                _ => {}
            }
        }
    }
    // Whole or not at all, under a name that nothing in the archive or the folder has.
    let staged = (0..u32::MAX)
        .map(|n| folder.join(format!(".unpacking-{}-{n}", std::process::id())))
        .find(|path| {
            let taken = files
                .iter()
                .any(|file| folder.join(&file.path).starts_with(path));
            !taken && fs::symlink_metadata(path).is_err()
        })
        .ok_or_else(|| bad("it leaves no name to unpack under"))?;
    walk(&mut again, |path, _, content| {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&staged)
            .and_then(|mut f| {
                io::copy(content, &mut f)?;
                f.sync_all()
            })
            .and_then(|()| fs::rename(&staged, &target));
        written.map_err(|e| {
            // A full disk is not made fuller.
            let _ = fs::remove_file(&staged);
            Refusal::Io(target.clone(), e)
        })
    })?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(archive: &[u8], folder: &Path, force: bool) -> Result<Vec<Written>, Refusal> {
        super::unpack(archive, archive, folder, force)
    }

    fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = [0u8; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = kind;
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header[154] = 0;
        let mut all = header.to_vec();
        all.extend_from_slice(content);
        all.resize(all.len().next_multiple_of(BLOCK), 0);
        all
    }

    fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut all = entries.concat();
        all.extend_from_slice(&[0; 2 * BLOCK]);
        all
    }

    #[test]
    fn files_should_be_written_when_the_archive_is_plain() {
        let dir = tempfile::tempdir().unwrap();
        let all = archive(&[
            entry("a.txt", b'0', b"hello"),
            entry("sub", b'5', b""),
            entry("sub/b", b'0', &[7; 600]),
        ]);
        let written = unpack(&all, &dir.path().join("out"), false).unwrap();
        assert_eq!(written.len(), 2);
        assert_eq!(fs::read(dir.path().join("out/a.txt")).unwrap(), b"hello");
        assert_eq!(fs::read(dir.path().join("out/sub/b")).unwrap(), [7; 600]);
        assert!(matches!(
            unpack(&all, &dir.path().join("out"), false),
            Err(Refusal::Exists(_))
        ));
        unpack(&all, &dir.path().join("out"), true).unwrap();
        assert_eq!(
            fs::read_dir(dir.path().join("out")).unwrap().count(),
            2,
            "no leftovers"
        );
    }

    #[test]
    fn archive_of_the_systems_tar_should_be_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), "content").unwrap();
        let tar = dir.path().join("t.tar");
        let status = std::process::Command::new("tar")
            .args(["--format=ustar", "-cf"])
            .arg(&tar)
            .args(["-C"])
            .arg(dir.path())
            .arg("x")
            .status()
            .unwrap();
        assert!(status.success());
        let all = fs::read(tar).unwrap();
        assert_eq!(
            list(&all[..]).unwrap(),
            [Written {
                path: "x".into(),
                length: 7
            }]
        );
    }

    #[test]
    fn archive_should_be_refused_when_it_reaches_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let bad = [
            entry("../evil", b'0', b"x"),
            entry("/etc/evil", b'0', b"x"),
            entry("a/../../evil", b'0', b"x"),
            entry("link", b'2', b""),
            entry("hard", b'1', b""),
            entry("device", b'3', b""),
            entry("a\\b", b'0', b"x"),
            entry("line\nbreak", b'0', b"x"),
            entry(".", b'0', b"x"),
            entry("invoice\u{202e}fdp.exe", b'0', b"x"),
        ];
        for entry_ in bad {
            let all = archive(&[entry("good", b'0', b"x"), entry_]);
            assert!(matches!(unpack(&all, &out, false), Err(Refusal::Bad(_))));
            assert!(
                !out.join("good").exists(),
                "nothing is written when anything is wrong"
            );
        }
        let twice = archive(&[entry("a", b'0', b"x"), entry("./a", b'0', b"y")]);
        assert!(matches!(unpack(&twice, &out, false), Err(Refusal::Bad(_))));
    }

    #[test]
    fn archive_should_be_refused_whole_when_a_name_is_both_a_file_and_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        for names in [["a", "a/b"], ["a/b", "a"], ["a/b/c", "a"]] {
            let all = archive(&names.map(|name| entry(name, b'0', b"x")));
            assert!(matches!(unpack(&all, &out, false), Err(Refusal::Bad(_))));
            assert!(!out.exists(), "nothing is written");
        }
    }

    #[test]
    fn file_should_be_kept_when_its_name_is_like_that_of_one_being_written() {
        let dir = tempfile::tempdir().unwrap();
        let mine = format!(".unpacking-{}-0", std::process::id());
        let all = archive(&[
            entry(".a.part", b'0', b"first"),
            entry("a", b'0', b"second"),
            entry(&mine, b'0', b"third"),
        ]);
        unpack(&all, dir.path(), false).unwrap();
        assert_eq!(fs::read(dir.path().join(".a.part")).unwrap(), b"first");
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"second");
        assert_eq!(fs::read(dir.path().join(mine)).unwrap(), b"third");
    }

    #[test]
    fn archive_should_be_refused_when_it_is_cut_or_damaged() {
        let all = archive(&[entry("a", b'0', &[1; 2000])]);
        for cut in [100, 512, 1000, 2048, all.len() - 1024] {
            assert!(list(&all[..cut]).is_err(), "{cut}");
        }
        let mut damaged = all.clone();
        damaged[3] ^= 1;
        assert!(list(&damaged[..]).is_err());
    }

    /// A header over and over.
    struct Again<'a>(&'a [u8]);

    impl Read for Again<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }

        fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
            buffer.copy_from_slice(self.0);
            Ok(())
        }
    }

    #[test]
    fn archive_should_be_refused_when_it_has_too_many_entries_or_folders() {
        let folder = entry("folder", b'5', b"");
        assert!(matches!(list(Again(&folder)), Err(Refusal::TooMany)));
        // Each name has 46 folders of its own.
        let deep: Vec<_> = (0..=MOST / 46)
            .map(|n| entry(&format!("{n}{}", "/a".repeat(46)), b'0', b""))
            .collect();
        assert!(list(&archive(&deep[..1000])[..]).is_ok());
        assert!(matches!(list(&archive(&deep)[..]), Err(Refusal::TooMany)));
    }

    #[test]
    fn archive_should_be_refused_when_a_length_is_beyond_all_bounds() {
        let mut header = entry("a", b'0', b"");
        header[124..128].copy_from_slice(&[0x80, 0, 0, 0]);
        header[128..136].fill(0xff);
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header[154] = 0;
        assert!(matches!(
            list(&archive(&[header])[..]),
            Err(Refusal::Bad(_))
        ));
    }

    #[test]
    fn link_in_the_folder_should_not_be_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (out, outside) = (dir.path().join("out"), dir.path().join("outside"));
        fs::create_dir_all(&out).unwrap();
        fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, out.join("sub")).unwrap();
        let all = archive(&[entry("sub/evil", b'0', b"x")]);
        assert!(matches!(unpack(&all, &out, true), Err(Refusal::Bad(_))));
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    }
}
