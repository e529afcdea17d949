//! The shipped networks: manifest, artefacts, known answers.

use crate::answers::Answers;
use anyhow::{bail, ensure, Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf};
use ve_ml_engine::{Net, Shape};

/// What the measurements need of `ml/models/manifest.toml`.
#[derive(Deserialize)]
struct Manifest {
    model: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    artefact: Pinned,
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Pinned {
    file: String,
    sha256: String,
}

#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
}

/// A network that ships.
pub struct Model {
    /// Name in the manifest.
    pub name: String,
    /// The artefact, which has its pinned hash.
    pub artefact: Vec<u8>,
    /// The ONNX file in its public package, for models that come from one.
    pub source: Option<PathBuf>,
}

impl Model {
    /// The network, proved.
    pub fn net(&self) -> Result<Net<'_>> {
        Net::parse(&self.artefact)
            .with_context(|| format!("{}: the artefact is refused", self.name))
    }
}

/// The shape of a network's input.
pub fn input(net: &Net) -> Result<Shape> {
    net.shape(0).context("a network has an input")
}

/// Known answers of networks: SHA-256 of all outputs for a picture of `ve_ml_engine::sample`.
pub const NETWORKS: &str = "known-answers.txt";
/// Known answers of the pipeline: see `ve_ml_pipeline::sample`.
pub const STAGES: &str = "pipeline-answers.txt";

/// The folder `ml/models`.
pub struct Models(pub PathBuf);

impl Models {
    /// All models of the manifest, each with its pinned artefact.
    pub fn all(&self) -> Result<Vec<Model>> {
        let manifest: Manifest =
            toml::from_str(&self.text("manifest.toml")?).context("manifest.toml")?;
        let models = manifest.model.into_iter().map(|entry| {
            let file = self.0.join(&entry.artefact.file);
            let artefact =
                fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let found = sha256(&artefact);
            ensure!(
                found == entry.artefact.sha256,
                "{}: sha256 is {found}, pinned is {}; run scripts/models.sh",
                file.display(),
                entry.artefact.sha256
            );
            // Models that were trained here have a checkpoint instead, which onnxruntime cannot read.
            let source = entry.source.and_then(|s| s.file);
            Ok(Model {
                name: entry.name,
                artefact,
                source: source.filter(|file| file.extension().is_some_and(|e| e == "onnx")),
            })
        });
        models.collect()
    }

    /// One of them.
    pub fn one(&self, name: &str) -> Result<Model> {
        let found = self.all()?.into_iter().find(|m| m.name == name);
        found.with_context(|| format!("the manifest has no model {name}"))
    }

    /// The pinned answers of a file, whose lines say of what, from what, and which.
    pub fn answers(&self, file: &str) -> Result<Answers> {
        let mut answers = Answers::new();
        let text = self.text(file)?;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<_> = line.split_whitespace().collect();
            let [what, of, digest] = words[..] else {
                bail!("{file}: not a known answer: {line}")
            };
            let digests = answers.entry(what.into()).or_default();
            digests.insert(of.into(), digest.into());
        }
        Ok(answers)
    }

    fn text(&self, file: &str) -> Result<String> {
        let file = self.0.join(file);
        fs::read_to_string(&file)
            .with_context(|| format!("reading {}; give the folder with --models", file.display()))
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
