//! Files that this process may touch itself.

use super::{JobFiles, Put, Taker, Wanted, PARTIAL, STEP};
use crate::beneath::{private_directory, rename_surely, writable, Beneath, Walk};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The files below a directory, touched by this process.
pub struct Direct {
    root: PathBuf,
}

impl Direct {
    /// Files below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }
}

impl JobFiles for Direct {
    fn prepare(&self, directories: &[&str]) -> io::Result<()> {
        private_directory(&self.root)?;
        directories
            .iter()
            .try_for_each(|directory| private_directory(&self.root.join(directory)))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        match std::fs::symlink_metadata(self.root.join(path)) {
            Ok(data) if data.is_file() => Ok(Some(data.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn put(&self, path: &str, length: u64, executable: bool) -> io::Result<Box<dyn Put>> {
        let partial = self.root.join(PARTIAL);
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Box::new(DirectPut {
            file: File::create_new(&partial)?,
            partial,
            target: self.root.join(path),
            at: 0,
            length,
            step: u64::MAX,
            executable,
        }))
    }

    fn put_long(
        &self,
        path: &str,
        length: u64,
        mark: &str,
        afresh: bool,
    ) -> io::Result<(Box<dyn Put>, u64)> {
        let partial = self.root.join(format!("{PARTIAL}-{mark}"));
        let mut file = writable(&partial)?;
        let at = match file.metadata()?.len() {
            there if there > length || afresh => 0,
            // Bytes beyond a step are there, so all up to it was on disk before, whatever became of them.
            there => there.saturating_sub(1) / STEP * STEP,
        };
        file.set_len(at)?;
        file.seek(SeekFrom::Start(at))?;
        let put = DirectPut {
            file,
            partial,
            target: self.root.join(path),
            at,
            length,
            step: STEP,
            executable: false,
        };
        Ok((Box::new(put), at))
    }

    fn read(&self, wanted: &[Wanted], take: &mut Taker<'_>) -> io::Result<()> {
        let beneath = Beneath::open(&self.root)?;
        for (n, part) in wanted.iter().enumerate() {
            let opened = beneath.file(&part.path).and_then(|mut file| {
                file.seek(SeekFrom::Start(part.offset))?;
                Ok(file.take(part.most))
            });
            match opened {
                Ok(mut content) => take(n, Ok(&mut content))?,
                Err(error) => take(n, Err(error))?,
            }
        }
        Ok(())
    }

    fn walk(&self, path: &str) -> io::Result<Walk> {
        Beneath::open(&self.root.join(path))?.walk()
    }

    fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

struct DirectPut {
    file: File,
    partial: PathBuf,
    target: PathBuf,
    /// Bytes written.
    at: u64,
    length: u64,
    /// Nothing is written beyond a multiple of it before all up to there is on disk.
    step: u64,
    executable: bool,
}

impl Write for DirectPut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.at);
        let in_step = self.step - self.at % self.step;
        let most = usize::try_from(left.min(in_step)).unwrap_or(usize::MAX);
        let Some(bytes) = bytes.get(..bytes.len().min(most)).filter(|b| !b.is_empty()) else {
            return Ok(0);
        };
        if self.at > 0 && in_step == self.step {
            self.file.sync_data()?;
        }
        let written = self.file.write(bytes)?;
        self.at = self.at.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Put for DirectPut {
    fn commit(self: Box<Self>) -> io::Result<()> {
        if self.at < self.length {
            let why = format!("{} bytes are missing", self.length - self.at);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        let mode = if self.executable { 0o700 } else { 0o600 };
        self.file
            .set_permissions(std::fs::Permissions::from_mode(mode))?;
        self.file.sync_all()?;
        rename_surely(&self.partial, &self.target)
    }
}
