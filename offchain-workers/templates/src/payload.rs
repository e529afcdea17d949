//! What customer and provider say to each other in sealed envelopes: the job's payload, and the head of its result.

use crate::safe_file_name;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt};
use virtengine_primitives::hpc::MAX_INPUTS;
use zeroize::Zeroizing;

/// The plaintext of a payload envelope, as JSON.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JobPayload {
    /// Version of this shape: 1.
    pub version: u32,
    /// The template, for people; what counts is the hash in the job. `None` with a script.
    pub template: Option<TemplateRef>,
    /// Parameters by name.
    pub parameters: Map<String, Value>,
    /// A script of the customer's own, on clusters that take one. `None` with a template.
    pub script: Option<String>,
    /// The job's inputs, in the order of the job's references.
    pub inputs: Vec<PayloadInput>,
}

/// Which template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateRef {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadInput {
    /// The file name under which the job finds it.
    pub name: String,
    /// Blake2b-256 of the ciphertext, its name in the artifact store.
    #[serde(with = "hex32")]
    pub hash: [u8; 32],
    /// Length of the ciphertext in bytes.
    pub length: u64,
    /// Length of the plaintext in bytes.
    pub plain_length: u64,
    /// The key that opens it.
    pub key: ContentKeyBytes,
}

/// A 32-byte content key: wiped when dropped, not shown by `Debug`, hexadecimal in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentKeyBytes(Zeroizing<[u8; 32]>);

impl ContentKeyBytes {
    /// From its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ContentKeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKeyBytes(..)")
    }
}

impl Serialize for ContentKeyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hex32::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for ContentKeyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex32::deserialize(deserializer).map(Self::new)
    }
}

mod hex32 {
    use super::*;

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(&text), &mut bytes)
            .map_err(|_| serde::de::Error::custom("expected 64 hexadecimal digits"))?;
        Ok(bytes)
    }
}

/// Why a payload cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not the JSON that it should be.
    #[error("the payload is not what it should be: {0}")]
    Shape(#[from] serde_json::Error),
    /// Another version.
    #[error("the payload has version {0}, this program reads version 1: update it")]
    Version(u32),
    /// Neither or both of template and script.
    #[error("the payload must have either a template or a script")]
    Workload,
    /// More inputs than a job has.
    #[error("{0} inputs, but a job has at most {MAX_INPUTS}: pack some of them together")]
    TooManyInputs(usize),
    /// An input's name.
    #[error("inputs: {0}")]
    InputName(String),
}

impl JobPayload {
    /// The version that this code writes and reads.
    pub const VERSION: u32 = 1;

    /// The JSON to be sealed.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
        self.ensure_sound()?;
        Ok(Zeroizing::new(serde_json::to_vec(self)?))
    }

    /// Reads what an envelope held. The parameters are still to be validated against the template.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PayloadError> {
        let payload: Self = serde_json::from_slice(bytes)?;
        payload.ensure_sound()?;
        Ok(payload)
    }

    fn ensure_sound(&self) -> Result<(), PayloadError> {
        if self.version != Self::VERSION {
            return Err(PayloadError::Version(self.version));
        }
        if self.template.is_some() == self.script.is_some() {
            return Err(PayloadError::Workload);
        }
        if self.inputs.len() > MAX_INPUTS as usize {
            return Err(PayloadError::TooManyInputs(self.inputs.len()));
        }
        let mut names = BTreeSet::new();
        for input in &self.inputs {
            safe_file_name(&input.name).map_err(|e| PayloadError::InputName(e.to_string()))?;
            if !names.insert(&input.name) {
                return Err(PayloadError::InputName(format!(
                    "{} is there twice: rename one of them",
                    input.name
                )));
            }
        }
        Ok(())
    }
}

/// `result.json` in the tar that a result envelope holds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ResultSummary {
    /// Version of this shape: 1.
    pub version: u32,
    /// Number of the job.
    pub job: u64,
    /// Why it ended, as the chain names it.
    pub reason: String,
    /// Exit status of the script as a shell gives it.
    pub exit_code: u16,
    /// Whether outputs may be missing or cut off because the job did not run to its end.
    pub partial: bool,
    /// Each task's own end.
    pub tasks: Vec<TaskResult>,
    /// Files that were written but not collected, and why.
    pub omitted: Vec<OmittedFile>,
}

/// How one task ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TaskResult {
    /// Index of the task, from 0.
    pub task: u32,
    /// How it ended, in the scheduler's words.
    pub state: String,
    /// Its exit status.
    pub exit_code: u16,
}

/// A file that was not collected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OmittedFile {
    /// Path below the output directory.
    pub path: String,
    /// Length in bytes.
    pub length: u64,
    /// Why.
    pub reason: String,
}
