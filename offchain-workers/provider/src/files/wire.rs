//! What worker and agent say to each other over the agent's standard input and output.
//!
//! An answer is a status (`i32`, little endian: 0 for success, an error number of the system, or -1 and no number),
//! then its content in chunks: a length (`u32`, little endian), so many bytes, and so on until a length of 0. The content
//! of a failure is its message. Before an answer that takes a while the agent says [`WORKING`] from time to time.

use std::io::{self, Read, Write};

/// Longest chunk.
const CHUNK: usize = 64 << 10;
/// Longest message of a failure that is read.
const MESSAGE: u64 = 4 << 10;
/// In place of a status: the answer is still to come.
const WORKING: i32 = -2;

/// Bytes as chunks.
struct Chunks<'a>(&'a mut dyn Write);

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(part) = bytes.chunks(CHUNK).next() else {
            return Ok(0);
        };
        let length = u32::try_from(part.len()).map_err(io::Error::other)?;
        self.0.write_all(&length.to_le_bytes())?;
        self.0.write_all(part)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Says that the answer is still to come.
pub(super) fn working(to: &mut dyn Write) -> io::Result<()> {
    to.write_all(&WORKING.to_le_bytes())?;
    to.flush()
}

/// Says how it went, with what `content` writes of the result if it went well.
///
/// `Err` only if it could not be said.
pub(super) fn answer<T>(
    to: &mut dyn Write,
    result: io::Result<T>,
    content: impl FnOnce(T, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match result {
        Ok(value) => {
            to.write_all(&0i32.to_le_bytes())?;
            content(value, &mut Chunks(to))?;
        }
        Err(error) => {
            // Refusals of our own have a kind and no number.
            let number = match (error.raw_os_error(), error.kind()) {
                (Some(number), _) => number,
                (None, io::ErrorKind::NotFound) => nix::libc::ENOENT,
                (None, io::ErrorKind::PermissionDenied) => nix::libc::EACCES,
                _ => -1,
            };
            to.write_all(&number.to_le_bytes())?;
            Chunks(to).write_all(error.to_string().as_bytes())?;
        }
    }
    to.write_all(&0u32.to_le_bytes())?;
    to.flush()
}

/// The content of an answer.
pub(super) struct Content<'a, R: Read> {
    from: &'a mut R,
    chunk: usize,
    ended: bool,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.chunk == 0 {
            let mut length = [0; 4];
            self.from.read_exact(&mut length)?;
            self.chunk = u32::from_le_bytes(length) as usize;
            if self.chunk == 0 {
                self.ended = true;
                return Ok(0);
            }
        }
        let most = buffer.len().min(self.chunk);
        let read = self.from.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.chunk = self.chunk.saturating_sub(read);
        Ok(read)
    }
}

/// An answer that was read as far as its status.
///
/// `Err` outside: there is no answer. `Err` inside: the agent could not do it.
pub(super) fn listen<R: Read>(from: &mut R) -> io::Result<io::Result<Content<'_, R>>> {
    let number = loop {
        let mut status = [0; 4];
        from.read_exact(&mut status)?;
        match i32::from_le_bytes(status) {
            WORKING => {}
            number => break number,
        }
    };
    let mut content = Content {
        from,
        chunk: 0,
        ended: false,
    };
    if number == 0 {
        return Ok(Ok(content));
    }
    let mut message = Vec::new();
    (&mut content).take(MESSAGE).read_to_end(&mut message)?;
    io::copy(&mut content, &mut io::sink())?;
    Ok(Err(match number {
        1.. => io::Error::from_raw_os_error(number),
        _ => io::Error::other(String::from_utf8_lossy(&message).into_owned()),
    }))
}
