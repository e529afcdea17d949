//! `ml/models/manifest.toml`: where each artefact comes from and which bytes it must have.

use crate::{mrz, network::Network, onnx::Onnx, quantise::Ranges};
use anyhow::{ensure, Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The manifest.
#[derive(Deserialize)]
pub struct Manifest {
    /// The models.
    pub model: Vec<Model>,
    /// Folder of the manifest, to which its file names are relative.
    #[serde(skip)]
    folder: PathBuf,
}

/// One model. The file has more (a card for people); this is what the conversion needs.
#[derive(Deserialize)]
pub struct Model {
    /// Name.
    pub name: String,
    /// Rows and columns of the input.
    pub input: [usize; 2],
    /// Limit of activations inside the network.
    pub limit: u32,
    /// What the conversion makes.
    pub artefact: Pinned,
    /// Magnitudes seen in calibration.
    pub scales: Pinned,
    /// Where the float network comes from.
    pub source: Source,
    /// What the network answers.
    pub outputs: Vec<Output>,
}

/// A file and its hash.
#[derive(Deserialize)]
pub struct Pinned {
    /// File name.
    pub file: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A file of a public package, or a checkpoint of our own training beside the manifest.
#[derive(Deserialize)]
pub struct Source {
    /// Path inside the package, or name of the checkpoint.
    pub file: String,
    /// SHA-256 of that file.
    pub sha256: String,
}

/// One output.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Output {
    /// Name in the source file.
    pub name: String,
    /// The real number is `activation / 2^fraction_bits`.
    pub fraction_bits: i32,
}

/// The file of a calibration.
#[derive(Serialize, Deserialize)]
pub struct Scales {
    /// Largest magnitude of each node's result.
    pub largest: Ranges,
}

impl Manifest {
    /// Reads the manifest.
    pub fn read(file: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let mut manifest: Self =
            toml::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
        manifest.folder = file.parent().unwrap_or(Path::new(".")).to_path_buf();
        Ok(manifest)
    }

    /// A model by its name.
    pub fn model(&self, name: &str) -> Result<&Model> {
        let names = || {
            self.model
                .iter()
                .map(|m| m.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        self.model
            .iter()
            .find(|m| m.name == name)
            .with_context(|| format!("no model {name}; there are: {}", names()))
    }

    /// A file beside the manifest, whose hash must be the pinned one.
    pub fn pinned(&self, pinned: &Pinned) -> Result<Vec<u8>> {
        hashed(&self.folder.join(&pinned.file), &pinned.sha256)
    }

    /// The calibration of a model.
    pub fn ranges(&self, model: &Model) -> Result<Ranges> {
        let text = String::from_utf8(self.pinned(&model.scales)?)?;
        Ok(toml::from_str::<Scales>(&text)
            .with_context(|| model.scales.file.clone())?
            .largest)
    }
}

impl Model {
    /// The float network, from the folder into which the package was unpacked.
    pub fn network(&self, sources: &Path) -> Result<Network> {
        self.network_at(sources, self.input)
    }

    /// The same, for another size of the input.
    pub fn network_at(&self, sources: &Path, [rows, columns]: [usize; 2]) -> Result<Network> {
        let file = hashed(&sources.join(&self.source.file), &self.source.sha256)?;
        if self.source.file.ends_with(".safetensors") {
            return mrz::network::network(&file);
        }
        Network::from_onnx(&Onnx::read(&file)?, rows, columns)
    }
}

/// A file that must have a hash.
fn hashed(file: &Path, expected: &str) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let found = sha256(&bytes);
    ensure!(
        found == expected,
        "{}: sha256 is {found}, pinned is {expected}",
        file.display()
    );
    Ok(bytes)
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
