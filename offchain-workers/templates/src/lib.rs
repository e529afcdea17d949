//! The workload library.
//!
//! A **template** is a folder: `template.toml` (what it takes, needs, gives and costs), `job.sh` (the batch body) and
//! whatever programs `job.sh` starts. `slurm-templates/README.md` documents the schema. Its identity, on the chain and
//! off, is the [`Template::hash`] of all its files.
//!
//! # No value is ever code
//!
//! The script that a scheduler reads ([`RenderedJob::script`]) is the same for every job of every template: no value
//! from outside is in it, so none can become a directive or a word of it. Parameters reach the program as
//! `params.json` and as exported variables `VE_PARAM_<name>`, single-quoted in a file of their own that the script
//! sources. A value that a POSIX environment cannot hold (one with a NUL) is refused.
//!
//! # Use
//!
//! ```no_run
//! use ve_templates::*;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let library = Library::open("slurm-templates".as_ref())?;
//! let heat = library.find("heat").ok_or("no such template")?;
//! let parameters = heat.parse_cli_params(&["steps=5000"])?;
//! let need = heat.resources(&parameters, &Wanted { cpus: Some(4), ..Wanted::default() })?;
//! let guess = heat.predict(&parameters, &need.resources);
//! println!("about {} s on {} processors", guess.seconds, need.resources.cpus);
//! let inputs = vec!["mesh.dat".to_string()];
//! let job = heat.render(&parameters, &JobContext { resources: need.resources, walltime: need.walltime, inputs })?;
//! job.place("/a/work/directory".as_ref())?;
//! # Ok(())
//! # }
//! ```

mod check;
mod manifest;
mod parameters;
mod payload;
mod predict;
mod problem;
mod render;
mod template;

pub use check::check;
pub use manifest::{
    Bounds, CostModel, CostTerm, InputSpec, Manifest, OutputSpec, Outputs, ResourceBounds, Restart,
    Signal, TaskBounds, Warning,
};
pub use parameters::{
    parse_cli_params, safe_file_name, ParameterError, ParameterErrors, Parameters,
};
pub use payload::{
    ContentKeyBytes, JobPayload, OmittedFile, PayloadError, PayloadInput, ResultSummary,
    TaskResult, TemplateRef,
};
pub use predict::{Need, Prediction, Wanted};
pub use problem::{Problem, Problems};
pub use render::{
    quote, render_script, JobContext, PlacedFile, RenderedJob, CHECKPOINT_DIR, CONTROL_DIR,
    INPUT_DIR, OUTPUT_DIR, PROGRAM_DIR,
};
pub use template::{Library, Template, MAX_TEMPLATE_BYTES};
