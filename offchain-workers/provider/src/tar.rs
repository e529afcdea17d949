//! The few lines of the POSIX `ustar` format that a result needs: regular files, owned by nobody, without times, so that
//! the same outputs give the same archive.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;

/// An archive that is being written.
pub struct Writer<W> {
    out: W,
}

fn octal(field: &mut [u8], value: u64) {
    // Numbers that do not fit are written in base 256 with the high bit set, as GNU tar does.
    let digits = field.len() - 1;
    if value >> (3 * digits as u32).min(63) == 0 {
        let text = format!("{value:0digits$o}");
        field[..digits].copy_from_slice(text.as_bytes());
    } else {
        let bytes = value.to_be_bytes();
        let start = field.len() - bytes.len();
        field[start..].copy_from_slice(&bytes);
        field[0] |= 0x80;
    }
}

/// Where a path is cut into `ustar`'s prefix (at most 155 bytes) and name (at most 100).
fn cut(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= 155 && name.len() <= 100 && !name.is_empty())
}

/// Whether a path can be written.
pub fn fits(path: &str) -> bool {
    cut(path).is_some()
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds a file of exactly `length` bytes: what `content` has beyond that is left, what it lacks is zeros, because a
    /// job's file may change while it is read. Returns the bytes that were really read.
    pub fn add(&mut self, path: &str, length: u64, content: impl Read) -> io::Result<u64> {
        let (prefix, name) = cut(path).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the path is too long for tar")
        })?;
        let mut header = [0u8; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        octal(&mut header[100..108], 0o644);
        octal(&mut header[108..116], 0);
        octal(&mut header[116..124], 0);
        octal(&mut header[124..136], length);
        octal(&mut header[136..148], 0);
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[345..345 + prefix.len()].copy_from_slice(prefix.as_bytes());
        let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
        octal(&mut header[148..155], sum);
        header[154] = 0;
        self.out.write_all(&header)?;
        let read = io::copy(&mut content.take(length), &mut self.out)?;
        let padded = length.next_multiple_of(BLOCK as u64);
        io::copy(&mut io::repeat(0).take(padded - read), &mut self.out)?;
        Ok(read)
    }

    /// Ends the archive.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_should_be_read_by_the_systems_tar() {
        let long = format!("{}/{}", "p".repeat(120), "n".repeat(90));
        let mut archive = Writer::new(Vec::new());
        archive.add("a.txt", 5, &b"hello"[..]).unwrap();
        archive.add(&long, 3, &b"abcdef"[..]).unwrap();
        assert_eq!(archive.add("short.txt", 600, &b"x"[..]).unwrap(), 1);
        archive.add("empty", 0, io::empty()).unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % BLOCK, 0);

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.tar");
        std::fs::write(&file, bytes).unwrap();
        let status = std::process::Command::new("tar")
            .arg("-xf")
            .arg(&file)
            .arg("-C")
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(status.success());
        let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
        assert_eq!(read("a.txt"), b"hello");
        assert_eq!(read(&long), b"abc");
        assert_eq!(read("short.txt").len(), 600);
        assert!(read("empty").is_empty());
    }

    #[test]
    fn sizes_should_be_written_when_they_do_not_fit_octal_digits() {
        let mut field = [0u8; 12];
        octal(&mut field, 8 << 30);
        assert_eq!(field[0], 0x80);
        assert_eq!(u64::from_be_bytes(field[4..].try_into().unwrap()), 8 << 30);
        let mut field = [0u8; 12];
        octal(&mut field, (8 << 30) - 1);
        assert_eq!(&field, b"77777777777\0");
    }

    #[test]
    fn path_should_be_refused_when_it_fits_no_header() {
        assert!(!fits(&"x".repeat(101)));
        assert!(fits(&"x".repeat(100)));
        assert!(!fits(&format!("{}/{}", "x".repeat(200), "y".repeat(20))));
    }
}
