//! The artefacts, as `manifest.toml` pins them.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use thiserror::Error;
use ve_ml_engine::{sample::picture, Execution, Net};
use ve_ml_score::{sample, Weights};

/// Why the models cannot be used.
#[derive(Debug, Error)]
pub enum NotUsable {
    /// A file cannot be read.
    #[error("{}: {error}; name the folder of the models with --models", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The manifest or the known answers do not say what they must.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file has other bytes than the manifest says.
    #[error("{}: sha256 is {found}, pinned is {pinned}: derive it again with scripts/models.sh", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
        /// Hash of the file.
        found: String,
        /// Hash in the manifest.
        pinned: String,
    },
    /// There is no artefact of this name.
    #[error("the manifest has no {0}: take the one that belongs to this program")]
    Missing(&'static str),
}

/// The manifest; the file says more, for people and for the conversion.
#[derive(Deserialize)]
pub struct Manifest {
    /// Networks.
    pub model: Vec<Entry>,
    /// Weights of scorers.
    pub scorer: Vec<Entry>,
    #[serde(skip)]
    folder: PathBuf,
}

/// An artefact.
#[derive(Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// File and hash.
    pub artefact: Pinned,
    /// Where it comes from, for a network that was converted.
    pub source: Option<Source>,
    licence: Option<String>,
    training_data: Option<String>,
}

/// A file and its SHA-256 in hexadecimal.
#[derive(Deserialize)]
pub struct Pinned {
    /// Beside the manifest.
    pub file: String,
    /// Its hash.
    pub sha256: String,
}

/// A public package.
#[derive(Deserialize)]
pub struct Source {
    index: Option<String>,
    package: Option<String>,
    version: Option<String>,
    licence: Option<String>,
    training_data: Option<String>,
}

impl Entry {
    /// Package and version, or where else it comes from.
    pub fn origin(&self) -> String {
        let package = self
            .source
            .as_ref()
            .and_then(|s| Some((s.index.as_ref()?, s.package.as_ref()?, s.version.as_ref()?)));
        match package {
            Some((index, package, version)) => format!("{index} {package} {version}"),
            None => "this project".into(),
        }
    }

    /// Its licence.
    pub fn licence(&self) -> &str {
        let from_source = self.source.as_ref().and_then(|s| s.licence.as_deref());
        from_source.or(self.licence.as_deref()).unwrap_or("unknown")
    }

    /// What it was trained on.
    pub fn training_data(&self) -> &str {
        let from_source = self
            .source
            .as_ref()
            .and_then(|s| s.training_data.as_deref());
        from_source
            .or(self.training_data.as_deref())
            .unwrap_or("unknown")
    }

    /// Whether enough is known about it for production.
    pub fn may_be_activated(&self) -> bool {
        !self.training_data().starts_with("unknown") && self.licence() != "unknown"
    }
}

impl Manifest {
    /// Reads the manifest of a folder.
    pub fn read(folder: &Path) -> Result<Self, NotUsable> {
        let path = folder.join("manifest.toml");
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        let manifest = toml::from_str(&text).map_err(|e| NotUsable::Malformed {
            path,
            reason: e.to_string(),
        })?;
        Ok(Self {
            folder: folder.into(),
            ..manifest
        })
    }

    /// Bytes of a network's artefact, which must have the pinned hash.
    pub fn network(&self, name: &'static str) -> Result<Vec<u8>, NotUsable> {
        let entry = self
            .model
            .iter()
            .find(|m| m.name == name)
            .ok_or(NotUsable::Missing(name))?;
        self.pinned(&entry.artefact)
    }

    /// The scorer's weights.
    pub fn weights(&self) -> Result<Weights, NotUsable> {
        let entry = self
            .scorer
            .iter()
            .find(|s| s.name == "score")
            .ok_or(NotUsable::Missing("score"))?;
        let bytes = self.pinned(&entry.artefact)?;
        let path = self.folder.join(&entry.artefact.file);
        Weights::parse(&bytes).map_err(|e| NotUsable::Malformed {
            path,
            reason: e.to_string(),
        })
    }

    /// Bytes of a file, which must have the pinned hash.
    pub fn pinned(&self, pinned: &Pinned) -> Result<Vec<u8>, NotUsable> {
        let path = self.folder.join(&pinned.file);
        let bytes = read(&path)?;
        let found = sha256(&bytes);
        if found == pinned.sha256 {
            Ok(bytes)
        } else {
            Err(NotUsable::Changed {
                path,
                found,
                pinned: pinned.sha256.clone(),
            })
        }
    }

    /// Runs all known answers; `look` sees each result as it comes.
    pub fn check(&self, how: Execution, mut look: impl FnMut(&Answer)) -> Result<bool, NotUsable> {
        let mut right = true;
        let mut judge = |answer: Answer| {
            right &= answer.expected == answer.found;
            look(&answer);
        };
        let (path, lines) = self.lines("known-answers.txt")?;
        let malformed = |line: &str| NotUsable::Malformed {
            path: path.clone(),
            reason: format!("not a known answer: {line}"),
        };
        for line in &lines {
            let [model, number, expected] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                return Err(malformed(line));
            };
            let number: u32 = number.parse().map_err(|_| malformed(line))?;
            let entry = self
                .model
                .iter()
                .find(|m| m.name == model)
                .ok_or_else(|| malformed(line))?;
            let artefact = self.pinned(&entry.artefact)?;
            let refused = |e: ve_ml_engine::Error| NotUsable::Malformed {
                path: self.folder.join(&entry.artefact.file),
                reason: e.to_string(),
            };
            let net = Net::parse(&artefact).map_err(refused)?;
            let shape = net.shape(0).ok_or_else(|| malformed(line))?;
            let answer = net
                .run(&picture(number, shape), how)
                .map_err(refused)?
                .concat();
            let bytes: Vec<u8> = answer.iter().flat_map(|a| a.to_le_bytes()).collect();
            judge(Answer {
                name: model.into(),
                number,
                expected: expected.into(),
                found: sha256(&bytes),
            });
        }
        let weights = self.weights()?;
        let (path, lines) = self.lines("score.known-answers.txt")?;
        for line in &lines {
            let (number, expected) = line.split_once(' ').unwrap_or((line, ""));
            let number: u32 = number.parse().map_err(|_| NotUsable::Malformed {
                path: path.clone(),
                reason: format!("not a known answer: {line}"),
            })?;
            judge(Answer {
                name: "score".into(),
                number,
                expected: expected.into(),
                found: sample::answer(&weights, number),
            });
        }
        Ok(right)
    }

    fn lines(&self, file: &str) -> Result<(PathBuf, Vec<String>), NotUsable> {
        let path = self.folder.join(file);
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        let lines = text
            .lines()
            .filter(|l| !l.starts_with('#') && !l.is_empty());
        let lines = lines.map(str::to_string).collect();
        Ok((path, lines))
    }
}

/// A known answer and the one that was found.
pub struct Answer {
    /// Model.
    pub name: String,
    /// Number of the sample.
    pub number: u32,
    /// Pinned answer.
    pub expected: String,
    /// Answer of this machine.
    pub found: String,
}

fn read(path: &Path) -> Result<Vec<u8>, NotUsable> {
    std::fs::read(path).map_err(|error| NotUsable::Read {
        path: path.into(),
        error,
    })
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
