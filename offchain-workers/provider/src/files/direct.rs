//! Files that this process may touch itself.

use super::{
    layout::{lay_out_all, LayOut},
    JobFiles, Put, Taker, Wanted, PARTIAL, STEP,
};
use crate::beneath::{rename_surely, writable, Beneath, Walk};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};
use ve_templates::PlacedFile;

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
    fn lay_out(&self, directories: &[&str], files: &[PlacedFile]) -> io::Result<()> {
        let (home, wanted) = LayOut::at(&self.root, directories, files)?;
        lay_out_all(home, &[wanted]).into_iter().collect()
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        match std::fs::symlink_metadata(self.root.join(path)) {
            Ok(data) if data.is_file() => Ok(Some(data.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn put(
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
}

impl Write for DirectPut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.at);
        let in_step = STEP - self.at % STEP;
        let most = usize::try_from(left.min(in_step)).unwrap_or(usize::MAX);
        let Some(bytes) = bytes.get(..bytes.len().min(most)).filter(|b| !b.is_empty()) else {
            return Ok(0);
        };
        if self.at > 0 && in_step == STEP {
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
        self.file.sync_all()?;
        rename_surely(&self.partial, &self.target)
    }
}
