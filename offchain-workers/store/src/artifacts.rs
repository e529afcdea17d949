//! Artifacts: sealed bodies by the hash of their content, logs and evidence by name.

use crate::Error;
use blake2::{digest::consts::U32, Blake2b, Digest};
use bytes::Bytes;
use futures::{stream::BoxStream, StreamExt, TryStreamExt};
use object_store::{
    local::LocalFileSystem, memory::InMemory, path::Path as Key, GetOptions, GetRange, ObjectStore,
    ObjectStoreExt, PutPayload, WriteMultipart,
};
use rand::TryRngCore;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

const CHUNK: usize = 1 << 20;
const STAGING: &str = "staging";
/// What a dead process left in staging is removed after this time; a living upload touches its file far more often.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A body by content: its Blake2b-256 and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Blake2b-256 of the content, which is also its name.
    pub hash: [u8; 32],
    /// Length in bytes.
    pub length: u64,
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Path from the root of the store, with `/` between its parts.
    pub path: String,
    /// Length in bytes.
    pub length: u64,
}

/// A place for artifacts. Cheap to clone.
///
/// | what | where |
/// |---|---|
/// | sealed bodies | `blobs/<hash in hexadecimal>` |
/// | log chunks | [`Artifacts::log_path`] |
/// | evidence | [`Artifacts::evidence_path`] |
/// | grounds of disputes | [`Artifacts::grounds_path`] |
#[derive(Clone)]
pub struct Artifacts {
    store: Arc<dyn ObjectStore>,
    url: String,
}

fn blob(hash: &[u8; 32]) -> String {
    format!("blobs/{}", hex::encode(hash))
}

/// The first eight hexadecimal digits of the genesis hash, by which stores and handles name a chain.
fn genesis8(genesis: &[u8; 32]) -> String {
    hex::encode(genesis.split_at(4).0)
}

fn key(path: &str) -> Result<Key, Error> {
    Key::parse(path).map_err(|e| Error::objects(path, e.into()))
}

/// The folder that a `file:` URL names.
fn folder(url: &str) -> Result<PathBuf, Error> {
    let wrong = |reason: &str| Error::Location {
        url: url.into(),
        reason: reason.into(),
    };
    let rest = url.strip_prefix("file://").ok_or_else(|| {
        wrong("unknown kind; use file:///absolute/path/of/a/folder, or memory:/// in tests")
    })?;
    if !rest.starts_with('/') {
        return Err(wrong("a file URL needs an absolute path: three slashes, as file:///var/lib/virtengine/artifacts"));
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.as_bytes();
    while let Some((first, tail)) = left.split_first() {
        left = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let byte = tail
            .get(..2)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 16).ok());
        bytes.push(
            byte.filter(|b| *b != 0)
                .ok_or_else(|| wrong("a % is not followed by two hexadecimal digits"))?,
        );
        left = tail.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes)
        .map(PathBuf::from)
        .map_err(|_| wrong("the path is not UTF-8"))
}

/// Removes of the uploads that a process left behind when it died those that `gone` is true of, told name and age.
fn sweep(staging: &Path, gone: impl Fn(&str, Option<Duration>) -> bool) {
    let Ok(entries) = std::fs::read_dir(staging) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|m| m.modified())
            .ok()
            .and_then(|t| SystemTime::now().duration_since(t).ok());
        if gone(&entry.file_name().to_string_lossy(), age) {
            if let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "an abandoned upload could not be removed");
            }
        }
    }
}

impl Artifacts {
    /// Opens the store at a URL: `file:///absolute/folder` (created if missing; every write is on the disk before it
    /// counts), or `memory:///` for tests.
    pub fn open(url: &str) -> Result<Self, Error> {
        if url.starts_with("memory:") {
            return Ok(Self {
                store: Arc::new(InMemory::new()),
                url: url.into(),
            });
        }
        let root = folder(url)?;
        std::fs::create_dir_all(&root)
            .map_err(|e| Error::io(format!("creating {}", root.display()), e))?;
        let local = LocalFileSystem::new_with_prefix(&root)
            .map_err(|e| Error::Location {
                url: url.into(),
                reason: e.to_string(),
            })?
            .with_fsync(true);
        sweep(&root.join(STAGING), |_, age| {
            age.is_some_and(|age| age > ABANDONED)
        });
        Ok(Self {
            store: Arc::new(local),
            url: url.into(),
        })
    }

    /// The URL it was opened with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the `chunk`-th piece of a job's log lies.
    pub fn log_path(genesis: &[u8; 32], job: u64, chunk: u64) -> String {
        format!("{}/{chunk}", Self::log_prefix(genesis, job))
    }

    /// Where all pieces of a job's log lie.
    pub fn log_prefix(genesis: &[u8; 32], job: u64) -> String {
        format!("logs/{}/{job}", genesis8(genesis))
    }

    /// Where the evidence of a usage report lies.
    pub fn evidence_path(genesis: &[u8; 32], agreement: u64, sequence: u64) -> String {
        format!("evidence/{}/{agreement}/{sequence}", genesis8(genesis))
    }

    /// Where the grounds of a dispute lie whose sealed body has that hash: another dispute has other grounds.
    pub fn grounds_path(genesis: &[u8; 32], agreement: u64, hash: &[u8; 32]) -> String {
        format!(
            "grounds/{}/{agreement}/{}",
            genesis8(genesis),
            hex::encode(hash)
        )
    }

    /// Begins to write a blob whose hash is not known yet.
    pub async fn writer(&self) -> Result<ArtifactWriter, Error> {
        let mut name = [0u8; 16];
        rand::rngs::OsRng
            .try_fill_bytes(&mut name)
            .map_err(|e| Error::io("random numbers", std::io::Error::other(e.to_string())))?;
        self.writer_at(&hex::encode(name)).await
    }

    async fn writer_at(&self, name: &str) -> Result<ArtifactWriter, Error> {
        let staged = key(&format!("{STAGING}/{name}"))?;
        let upload = self
            .store
            .put_multipart(&staged)
            .await
            .map_err(|e| Error::objects("a new blob", e))?;
        let upload = WriteMultipart::new_with_chunk_size(upload, CHUNK);
        Ok(ArtifactWriter {
            store: self.store.clone(),
            staged,
            upload,
            hash: Blake2b::new(),
            length: 0,
        })
    }

    /// Stores a blob that is in memory.
    pub async fn put_blob(&self, bytes: impl Into<Bytes>) -> Result<Artifact, Error> {
        let bytes: Bytes = bytes.into();
        let artifact = Artifact {
            hash: Blake2b::<U32>::digest(&bytes).into(),
            length: bytes.len() as u64,
        };
        self.put(&blob(&artifact.hash), bytes).await?;
        Ok(artifact)
    }

    /// Stores a blob from a reader, in constant memory.
    pub async fn put_blob_from(&self, from: impl AsyncRead + Unpin) -> Result<Artifact, Error> {
        self.writer().await?.write_from(from).await?.finish().await
    }

    /// Stores a blob whose hash is known from a reader, in constant memory; one that is here already is not read.
    ///
    /// Repeated after its process died, it takes no more room than once: what the earlier call left is removed. So it
    /// must not be called for one hash twice at the same time. [`Error::Damaged`], and nothing is stored, if the content
    /// has another hash.
    pub async fn put_known_blob(
        &self,
        known: &Artifact,
        from: impl AsyncRead + Unpin,
    ) -> Result<(), Error> {
        if self.head_blob(&known.hash).await? == Some(known.length) {
            return Ok(());
        }
        let name = hex::encode(known.hash);
        if let Ok(root) = folder(&self.url) {
            // `object_store` writes to a file of this name, `#` and a number.
            let ours = format!("{name}#");
            sweep(&root.join(STAGING), |found, _| found.starts_with(&ours));
        }
        let writer = self.writer_at(&name).await?.write_from(from).await?;
        if writer.artifact() != *known {
            writer.abort().await?;
            return Err(Error::Damaged(blob(&known.hash)));
        }
        writer.finish().await.map(drop)
    }

    /// Opens a blob for reading. Its content is checked against the hash as it is read.
    pub async fn reader(&self, hash: &[u8; 32]) -> Result<ArtifactReader, Error> {
        self.reader_from(hash, 0).await
    }

    /// Opens a blob for reading from a byte on. Only from the first one its content is checked against the hash: what
    /// begins elsewhere must be checked by other means.
    pub async fn reader_from(&self, hash: &[u8; 32], offset: u64) -> Result<ArtifactReader, Error> {
        let path = blob(hash);
        let range = (offset > 0).then_some(GetRange::Offset(offset));
        let found = self
            .store
            .get_opts(&key(&path)?, GetOptions::new().with_range(range))
            .await
            .map_err(|e| Error::objects(&path, e))?;
        let length = found.meta.size;
        let stream = found.into_stream().boxed();
        Ok(ArtifactReader {
            stream,
            state: (offset == 0).then(Blake2b::new),
            expected: *hash,
            length,
            path,
        })
    }

    /// Reads a blob of at most `limit` bytes, checked against its hash.
    pub async fn get_blob(&self, hash: &[u8; 32], limit: u64) -> Result<Vec<u8>, Error> {
        let mut reader = self.reader(hash).await?;
        if reader.length > limit {
            return Err(Error::TooLong {
                path: reader.path,
                length: reader.length,
                limit,
            });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = reader.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Copies a blob to a writer in constant memory; discard what was written when this fails. Returns its length.
    pub async fn get_blob_to(
        &self,
        hash: &[u8; 32],
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<u64, Error> {
        let mut reader = self.reader(hash).await?;
        let wrong = |e| Error::io("writing a fetched artifact", e);
        while let Some(chunk) = reader.next().await? {
            to.write_all(&chunk).await.map_err(wrong)?;
        }
        to.flush().await.map_err(wrong)?;
        Ok(reader.length)
    }

    /// Fetches a blob into a file in constant memory, and goes on from what an earlier call left there. The file is whole
    /// and has the right hash when this returns; on a failure it is kept for the next call. `progress` is told bytes.
    pub async fn get_blob_to_file(
        &self,
        hash: &[u8; 32],
        to: &Path,
        progress: impl Fn(u64),
    ) -> Result<u64, Error> {
        let wrong = |e| Error::io(format!("writing {}", to.display()), e);
        let mut options = tokio::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut reader = self.reader(hash).await?;
        let mut file = options.open(to).await.map_err(wrong)?;
        let mut chunk = vec![0u8; CHUNK];
        for keep in [true, false] {
            file.rewind().await.map_err(wrong)?;
            let there = file.metadata().await.map_err(wrong)?.len();
            // At least one byte is fetched: nothing begins behind the last.
            let from = match keep && there <= reader.length {
                true => there.min(reader.length.saturating_sub(1)),
                false => 0,
            };
            file.set_len(from).await.map_err(wrong)?;
            let mut state = Blake2b::new();
            loop {
                match file.read(&mut chunk).await.map_err(wrong)? {
                    0 => break,
                    n => state.update(chunk.get(..n).unwrap_or_default()),
                }
            }
            if from > 0 {
                reader = self.reader_from(hash, from).await?;
                progress(from);
            }
            reader.state = Some(state);
            loop {
                match reader.next().await {
                    Ok(None) => {
                        file.sync_all().await.map_err(wrong)?;
                        return Ok(reader.length);
                    }
                    Ok(Some(piece)) => {
                        file.write_all(&piece).await.map_err(wrong)?;
                        progress(piece.len() as u64);
                    }
                    // Something else lay there: once more, from the beginning.
                    Err(Error::Damaged(_)) if from > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            reader = self.reader(hash).await?;
        }
        Err(Error::Damaged(reader.path))
    }

    /// Length in bytes of a blob; `None` if it is not here.
    pub async fn head_blob(&self, hash: &[u8; 32]) -> Result<Option<u64>, Error> {
        self.head(&blob(hash)).await
    }

    /// Deletes a blob. One that is not here is as good as deleted.
    pub async fn delete_blob(&self, hash: &[u8; 32]) -> Result<(), Error> {
        self.delete(&blob(hash)).await
    }

    /// Stores an object under a name, whole or not at all, over what was there.
    pub async fn put(&self, path: &str, bytes: impl Into<Bytes>) -> Result<(), Error> {
        let payload = PutPayload::from_bytes(bytes.into());
        self.store
            .put(&key(path)?, payload)
            .await
            .map_err(|e| Error::objects(path, e))?;
        Ok(())
    }

    /// Reads an object of at most `limit` bytes; `None` if it is not here.
    pub async fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let found = match self.store.get(&key(path)?).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Error::objects(path, error)),
        };
        if found.meta.size > limit {
            return Err(Error::TooLong {
                path: path.into(),
                length: found.meta.size,
                limit,
            });
        }
        Ok(Some(
            found
                .bytes()
                .await
                .map_err(|e| Error::objects(path, e))?
                .to_vec(),
        ))
    }

    /// Length in bytes of an object; `None` if it is not here.
    pub async fn head(&self, path: &str) -> Result<Option<u64>, Error> {
        match self.store.head(&key(path)?).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::objects(path, error)),
        }
    }

    /// Deletes an object. One that is not here is as good as deleted.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        match self.store.delete(&key(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::objects(path, error)),
        }
    }

    /// All objects below a prefix, in the order of their paths, numbers by value ("2" before "10").
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Error> {
        let at = key(prefix)?;
        let found: Vec<_> = self
            .store
            .list(Some(&at))
            .try_collect()
            .await
            .map_err(|e| Error::objects(prefix, e))?;
        let mut all: Vec<_> = found
            .into_iter()
            .map(|m| Listed {
                path: m.location.to_string(),
                length: m.size,
            })
            .collect();
        all.sort_by_cached_key(|l| {
            l.path
                .split('/')
                .map(|part| (part.parse::<u64>().ok(), part.to_string()))
                .collect::<Vec<_>>()
        });
        Ok(all)
    }
}

/// A blob being written. Dropped without [`ArtifactWriter::finish`], it never was.
pub struct ArtifactWriter {
    store: Arc<dyn ObjectStore>,
    staged: Key,
    upload: WriteMultipart,
    hash: Blake2b<U32>,
    length: u64,
}

impl ArtifactWriter {
    /// Takes more content.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.upload
            .wait_for_capacity(2)
            .await
            .map_err(|e| Error::objects("a new blob", e))?;
        self.upload.write(bytes);
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes all that a reader gives.
    async fn write_from(mut self, mut from: impl AsyncRead + Unpin) -> Result<Self, Error> {
        let mut chunk = vec![0u8; CHUNK];
        loop {
            let n = from
                .read(&mut chunk)
                .await
                .map_err(|e| Error::io("reading what is to be stored", e))?;
            match chunk.get(..n) {
                None | Some([]) => return Ok(self),
                Some(bytes) => self.write(bytes).await?,
            }
        }
    }

    /// What was written so far.
    fn artifact(&self) -> Artifact {
        Artifact {
            hash: self.hash.clone().finalize().into(),
            length: self.length,
        }
    }

    /// Makes the blob appear under its hash, whole and lasting.
    pub async fn finish(self) -> Result<Artifact, Error> {
        let artifact = self.artifact();
        let path = blob(&artifact.hash);
        self.upload
            .finish()
            .await
            .map_err(|e| Error::objects(&path, e))?;
        if let Err(error) = self.store.rename(&self.staged, &key(&path)?).await {
            // Best effort: what stays is swept when the store is opened again.
            let _ = self.store.delete(&self.staged).await;
            return Err(Error::objects(&path, error));
        }
        Ok(artifact)
    }

    /// Forgets what was written.
    pub async fn abort(self) -> Result<(), Error> {
        self.upload
            .abort()
            .await
            .map_err(|e| Error::objects("a new blob", e))
    }
}

/// A blob being read.
pub struct ArtifactReader {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    state: Option<Blake2b<U32>>,
    expected: [u8; 32],
    length: u64,
    path: String,
}

impl ArtifactReader {
    /// Length in bytes as the store says.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next piece; `None` when all was read and, from the first byte on, has the right hash. Do not act on the pieces
    /// before that.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match self.stream.next().await {
            Some(Ok(chunk)) => {
                if let Some(state) = &mut self.state {
                    state.update(&chunk);
                }
                Ok(Some(chunk))
            }
            Some(Err(error)) => Err(Error::objects(&self.path, error)),
            None => {
                let found: Option<[u8; 32]> =
                    self.state.take().map(|state| state.finalize().into());
                match found.is_some_and(|hash| hash != self.expected) {
                    true => Err(Error::Damaged(self.path.clone())),
                    false => Ok(None),
                }
            }
        }
    }
}
