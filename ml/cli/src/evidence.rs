//! A folder of evidence.
//!
//! ```text
//! request.toml         when and for what the evidence was asked for
//! document.jpg         the front of the document (.jpg, .jpeg or .png, like all pictures)
//! back.jpg             its back, with the barcode
//! selfie.jpg           the person
//! frames/*.jpg         frames of the head-turn challenge, in the order of their names
//! capture.toml         what the capture program signed
//! ```
//!
//! Only `request.toml` must be there, and of it only `time_ms`; whatever else is missing costs points.

use serde::Deserialize;
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};
use thiserror::Error;
use ve_ml_pipeline::{
    capture::{Capture, Expected, PublicKey},
    Evidence, MAX_FILE,
};
use ve_ml_score::{Scope, Scopes};

/// Why a folder cannot be scored.
#[derive(Debug, Error)]
pub enum Unusable {
    /// A file or folder cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A TOML file does not say what it must.
    #[error("{}: {reason}", path.display())]
    Toml {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two files could be the same picture.
    #[error("{} and {}: keep one of them", .0.display(), .1.display())]
    Twice(PathBuf, PathBuf),
}

/// The files of a folder.
pub struct Folder {
    /// Picture of the document's front.
    pub document: Option<Vec<u8>>,
    /// Picture of the document's back.
    pub back: Option<Vec<u8>>,
    /// Picture of the person.
    pub selfie: Option<Vec<u8>>,
    /// Frames of the challenge.
    pub frames: Vec<Vec<u8>>,
    capture: Option<Capture>,
    request: Request,
}

struct Request {
    time_ms: u64,
    salt: [u8; 32],
    challenge: [u8; 32],
    user: PublicKey,
    clients: Vec<PublicKey>,
    seen: Vec<[u8; 32]>,
    scopes: Scopes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFile {
    time_ms: u64,
    salt: Option<String>,
    challenge: Option<String>,
    user: Option<String>,
    #[serde(default)]
    clients: Vec<String>,
    #[serde(default)]
    seen: Vec<String>,
    #[serde(default)]
    web: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptureFile {
    client: String,
    salt: String,
    challenge: String,
    taken_ms: u64,
    files: Vec<String>,
    client_signature: String,
    user_signature: String,
}

impl Folder {
    /// Reads a folder.
    pub fn read(path: &Path) -> Result<Self, Unusable> {
        let capture = path.join("capture.toml");
        let capture = if capture.exists() {
            Some(parse(&capture, CaptureFile::into_capture)?)
        } else {
            None
        };
        let signed = capture.is_some();
        let request = parse(&path.join("request.toml"), |file| {
            RequestFile::into_request(file, signed)
        })?;
        let frames = path.join("frames");
        let frames = if frames.exists() {
            pictures(&frames)?
                .iter()
                .map(|file| read(file))
                .collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        let files = pictures(path)?;
        Ok(Self {
            document: picture(&files, "document")?,
            back: picture(&files, "back")?,
            selfie: picture(&files, "selfie")?,
            frames,
            capture,
            request,
        })
    }

    /// The evidence, for the pipeline.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence {
            document: self.document.as_deref(),
            back: self.back.as_deref(),
            selfie: self.selfie.as_deref(),
            frames: self.frames.iter().map(Vec::as_slice).collect(),
            capture: self.capture.clone(),
        }
    }

    /// What the capture is held against.
    pub fn expected(&self) -> Expected<'_> {
        let request = &self.request;
        Expected {
            clients: &request.clients,
            user: request.user,
            salt: request.salt,
            challenge: request.challenge,
            now_ms: request.time_ms,
            seen: &request.seen,
        }
    }

    /// Proofs of the web that the request names.
    pub fn scopes(&self) -> Scopes {
        self.request.scopes
    }
}

impl RequestFile {
    fn into_request(self, signed: bool) -> Result<Request, String> {
        // Without a capture nothing is compared with these.
        let needed = |value: Option<String>, name: &str| match value {
            None if signed => Err(format!("there is a capture.toml, so `{name}` is needed")),
            value => Ok(value),
        };
        let salt = needed(self.salt, "salt")?;
        let challenge = needed(self.challenge, "challenge")?;
        let user = needed(self.user, "user")?;
        let mut scopes = Scopes::default();
        for name in &self.web {
            let scope = Scope::ALL.into_iter().find(|s| s.name() == name);
            let known = Scope::ALL.map(Scope::name).join(", ");
            scopes = scopes.with(scope.ok_or(format!(
                "`{name}` is no proof of the web; there are: {known}"
            ))?);
        }
        Ok(Request {
            time_ms: self.time_ms,
            salt: salt.map_or(Ok([0; 32]), |s| bytes(&s))?,
            challenge: challenge.map_or(Ok([0; 32]), |s| bytes(&s))?,
            user: user.map_or(Ok(PublicKey::Sr25519([0; 32])), |s| key(&s))?,
            clients: self
                .clients
                .iter()
                .map(|s| key(s))
                .collect::<Result<_, _>>()?,
            seen: self
                .seen
                .iter()
                .map(|s| bytes(s))
                .collect::<Result<_, _>>()?,
            scopes,
        })
    }
}

impl CaptureFile {
    fn into_capture(self) -> Result<Capture, String> {
        Ok(Capture {
            client: key(&self.client)?,
            salt: bytes(&self.salt)?,
            challenge: bytes(&self.challenge)?,
            taken_ms: self.taken_ms,
            files: self
                .files
                .iter()
                .map(|s| bytes(s))
                .collect::<Result<_, _>>()?,
            client_signature: bytes(&self.client_signature)?,
            user_signature: bytes(&self.user_signature)?,
        })
    }
}

/// `sr25519:` or `ed25519:` and 64 hexadecimal digits.
fn key(text: &str) -> Result<PublicKey, String> {
    match text.split_once(':') {
        Some(("sr25519", key)) => Ok(PublicKey::Sr25519(bytes(key)?)),
        Some(("ed25519", key)) => Ok(PublicKey::Ed25519(bytes(key)?)),
        _ => Err(format!(
            "`{text}` is not a key: write `sr25519:` or `ed25519:` and 64 hexadecimal digits"
        )),
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let text = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|e| format!("`{text}` is not {} hexadecimal digits: {e}", 2 * N))?;
    Ok(bytes)
}

fn parse<F: for<'de> Deserialize<'de>, T>(
    path: &Path,
    into: impl FnOnce(F) -> Result<T, String>,
) -> Result<T, Unusable> {
    let unusable = |reason| Unusable::Toml {
        path: path.into(),
        reason,
    };
    let text = String::from_utf8(read(path)?).map_err(|e| unusable(e.to_string()))?;
    let file = toml::from_str(&text).map_err(|e| unusable(e.to_string()))?;
    into(file).map_err(unusable)
}

/// At most one byte more than a picture may have: the pipeline refuses that.
fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    let unusable = |error| Unusable::Read {
        path: path.into(),
        error,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unusable)?;
    file.take(MAX_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unusable)?;
    Ok(bytes)
}

/// Files of a folder that are called like pictures, by name.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>, Unusable> {
    let unusable = |error| Unusable::Read {
        path: folder.into(),
        error,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unusable)? {
        let path = entry.map_err(unusable)?.path();
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .map(str::to_ascii_lowercase);
        if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn picture(files: &[PathBuf], name: &str) -> Result<Option<Vec<u8>>, Unusable> {
    let mut named = files
        .iter()
        .filter(|f| f.file_stem().is_some_and(|stem| stem == name));
    match (named.next(), named.next()) {
        (Some(first), Some(second)) => Err(Unusable::Twice(first.clone(), second.clone())),
        (Some(file), None) => read(file).map(Some),
        (None, _) => Ok(None),
    }
}
