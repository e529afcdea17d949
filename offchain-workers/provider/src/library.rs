//! The workload library: from a job's request and its opened payload to what is run.

use sp_core::H256;
use std::path::Path;
use ve_envelope::ContentKey;
use ve_templates::{
    render_script, JobContext, JobPayload, OutputSpec, Outputs, Problems, RenderedJob, INPUT_DIR,
};
use virtengine_primitives::hpc::{JobRequest, Resources, Workload};

/// Most bytes of all outputs of a customer's own script, which has no template to say it.
const SCRIPT_OUTPUT_BYTES: u64 = 1 << 30;

/// An input, as request and payload describe it.
pub struct Input {
    /// What the template calls it.
    pub name: String,
    /// Its path below the work directory.
    pub file: String,
    /// Blake2b-256 of the ciphertext, its name in the artifact store.
    pub hash: H256,
    /// Length of the ciphertext.
    pub length: u64,
    /// Length of what it opens to.
    pub plain_length: u64,
    /// Opens it.
    pub key: ContentKey,
}

/// A job that can be run.
pub struct Prepared {
    /// Script and files, parameters rendered.
    pub rendered: RenderedJob,
    /// Inputs, in the order of the job's request.
    pub inputs: Vec<Input>,
    /// What its outputs are.
    pub outputs: Outputs,
}

/// Why a job cannot be run.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The provider does not run such jobs; otherwise the payload does not fit what it asks for.
    pub not_allowed: bool,
    /// Which field, and what to do.
    pub why: String,
}

impl Unusable {
    fn not_allowed(why: impl Into<String>) -> Self {
        Self {
            not_allowed: true,
            why: why.into(),
        }
    }

    fn payload(why: impl std::fmt::Display) -> Self {
        Self {
            not_allowed: false,
            why: why.to_string(),
        }
    }
}

/// The templates that the worker can run.
pub struct Library(ve_templates::Library);

impl Library {
    /// Reads every template of a directory; one that does not pass its checks is an error.
    pub fn open(directory: &Path) -> Result<Self, Problems> {
        ve_templates::Library::open(directory).map(Self)
    }

    /// Number of templates.
    pub fn count(&self) -> usize {
        self.0.iter().count()
    }

    /// What each template needs at least, by its name.
    pub fn least(&self) -> impl Iterator<Item = (&str, Resources)> {
        self.0.iter().map(|template| {
            let bounds = &template.manifest().resources;
            let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            let least = Resources {
                nodes: small(bounds.nodes.min),
                cpus: small(bounds.cpus.min),
                memory_mib: bounds.memory_mib.min,
                gpus: small(bounds.gpus.min),
                gpu_type: 0,
                array_tasks: 1,
            };
            (template.manifest().name.as_str(), least)
        })
    }

    /// From a request and its opened payload to what is run. `scripts`: whether customers' own scripts are.
    pub(crate) fn prepare(
        &self,
        request: &JobRequest,
        payload: &[u8],
        scripts: bool,
    ) -> Result<Prepared, Unusable> {
        let payload = JobPayload::from_bytes(payload).map_err(Unusable::payload)?;
        let inputs = inputs(request, &payload)?;
        let context = JobContext {
            resources: request.resources,
            walltime: request.walltime,
            inputs: payload.inputs.iter().map(|i| i.name.clone()).collect(),
        };
        let (rendered, outputs) = match (&request.workload, &payload.script) {
            (Workload::Template(hash), None) => {
                let template = self.0.by_hash(hash).ok_or_else(|| {
                    Unusable::not_allowed(format!(
                        "template {hash:?} is not in this provider's library"
                    ))
                })?;
                for input in &payload.inputs {
                    let most = template
                        .manifest()
                        .inputs
                        .iter()
                        .find(|i| i.name == input.name);
                    if let Some(most) = most.filter(|spec| input.plain_length > spec.max_bytes) {
                        let why = format!(
                            "input {}: at most {} bytes, make it smaller",
                            input.name, most.max_bytes
                        );
                        return Err(Unusable::payload(why));
                    }
                }
                let parameters = template
                    .validate_parameters(&serde_json::Value::Object(payload.parameters.clone()))
                    .map_err(Unusable::payload)?;
                let rendered = template
                    .render(&parameters, &context)
                    .map_err(Unusable::payload)?;
                (rendered, template.manifest().outputs.clone())
            }
            (Workload::Script, Some(script)) if scripts => {
                let rendered = render_script(script, &payload.parameters, &context)
                    .map_err(Unusable::payload)?;
                (rendered, all_outputs())
            }
            (Workload::Script, Some(_)) => {
                return Err(Unusable::not_allowed(
                    "this provider runs no scripts of customers; use a template",
                ));
            }
            _ => {
                return Err(Unusable::payload(
                    "the job names one kind of workload, its payload brings the other",
                ));
            }
        };
        Ok(Prepared {
            rendered,
            inputs,
            outputs,
        })
    }
}

/// The payload's inputs, which must be exactly those of the request, in its order.
fn inputs(request: &JobRequest, payload: &JobPayload) -> Result<Vec<Input>, Unusable> {
    let same = request.inputs.len() == payload.inputs.len()
        && request
            .inputs
            .iter()
            .zip(&payload.inputs)
            .all(|(a, b)| a.hash.0 == b.hash && a.length == b.length);
    if !same {
        return Err(Unusable::payload(
            "inputs: those of the job and those of its payload differ; submit it again",
        ));
    }
    Ok(payload
        .inputs
        .iter()
        .map(|input| Input {
            name: input.name.clone(),
            file: format!("{INPUT_DIR}/{}", input.name),
            hash: H256(input.hash),
            length: input.length,
            plain_length: input.plain_length,
            key: ContentKey::from_bytes(*input.key.expose()),
        })
        .collect())
}

/// Everything that a customer's own script leaves in its output directory, three levels deep.
fn all_outputs() -> Outputs {
    let files = ["*", "*/*", "*/*/*"].map(|path| OutputSpec {
        path: path.into(),
        summary: "what the script wrote".into(),
        max_bytes: SCRIPT_OUTPUT_BYTES,
    });
    Outputs {
        max_bytes: SCRIPT_OUTPUT_BYTES,
        files: files.into(),
    }
}
