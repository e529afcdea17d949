//! From a template and parameters to what a scheduler runs.

use crate::{
    parameters::unspeakable, safe_file_name, ParameterError, ParameterErrors, Parameters, Template,
    Warning,
};
use serde_json::{Map, Value};
use std::{
    fmt::Write as _,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};
use virtengine_primitives::hpc::Resources;

/// Inputs, below the work directory. `VE_INPUT_DIR`.
pub const INPUT_DIR: &str = "in";
/// Outputs, below the work directory. `VE_OUTPUT_DIR`.
pub const OUTPUT_DIR: &str = "out";
/// Checkpoints, below the work directory. `VE_CHECKPOINT_DIR`.
pub const CHECKPOINT_DIR: &str = "checkpoint";
/// What the worker puts there for the job, below the work directory.
pub const CONTROL_DIR: &str = "ve";
/// The template's own files, below the work directory. `VE_PROGRAM_DIR`.
pub const PROGRAM_DIR: &str = "ve/program";

const ENVIRONMENT: &str = "ve/environment.sh";
const PARAMS: &str = "ve/params.json";
const SCRIPT: &str = "ve/script.sh";

/// The script for every job. Nothing from outside is in it: what a job is told is in the file it sources. It
/// replaces itself, so that a scheduler's signals reach the job's own script.
const LAUNCHER: &str = "#!/bin/sh
# Starts a VirtEngine job in the directory that was prepared for it.
set -eu
. ./ve/environment.sh
exec /bin/sh ./ve/program/job.sh
";

/// The same for a customer's own script, which has its own first line.
const SCRIPT_LAUNCHER: &str = "#!/bin/sh
# Starts a customer's own script in the directory that was prepared for it.
set -eu
. ./ve/environment.sh
exec ./ve/program/job.sh
";

/// The job that parameters are rendered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobContext {
    /// Resources of one task, as the chain says.
    pub resources: Resources,
    /// Wall time in seconds, as the chain says.
    pub walltime: u64,
    /// Names of the inputs that the job brings.
    pub inputs: Vec<String>,
}

/// A file to be put into the work directory.
#[derive(Clone, Debug, PartialEq, Eq, codec::Encode, codec::Decode)]
pub struct PlacedFile {
    /// Path below the work directory, with `/` between its parts.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether it is to be executable.
    pub executable: bool,
}

/// What a scheduler runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedJob {
    /// The text of the script that the scheduler reads; runs in the work directory.
    pub script: String,
    /// Text of the file with the exported variables, which the script sources; it is among `files` too.
    pub environment: String,
    /// Files that the script needs in the work directory.
    pub files: Vec<PlacedFile>,
    /// Signal ahead of the time limit.
    pub warning: Option<Warning>,
    /// Whether it may be started again after its node was lost.
    pub requeue: bool,
    /// Most bytes of any file that it writes; `None` for a customer's own script.
    pub max_file_bytes: Option<u64>,
}

/// A value in single quotes: one word of a POSIX shell that stands for exactly `text`.
///
/// Within single quotes a shell gives no character a meaning but the single quote itself, which is therefore put
/// between two quoted parts as `\'` (POSIX.1-2017, Shell Command Language, 2.2.2).
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn environment(parameters: &Map<String, Value>, resources: &Resources) -> String {
    let mut text = String::from(
        "# What this job is told. Values are single-quoted: a shell reads them as they are.\n\
         VE_WORK_DIR=$PWD\n\
         VE_INPUT_DIR=$PWD/in\n\
         VE_OUTPUT_DIR=$PWD/out\n\
         VE_CHECKPOINT_DIR=$PWD/checkpoint\n\
         VE_PROGRAM_DIR=$PWD/ve/program\n\
         VE_PARAMS_FILE=$PWD/ve/params.json\n\
         VE_TASK_ID=${VE_TASK:-0}\n\
         PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}\n\
         HOME=$PWD\n\
         LC_ALL=C.UTF-8\n\
         export VE_WORK_DIR VE_INPUT_DIR VE_OUTPUT_DIR VE_CHECKPOINT_DIR VE_PROGRAM_DIR VE_PARAMS_FILE VE_TASK_ID\n\
         export PATH HOME LC_ALL\n",
    );
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "VE_CPUS=${{VE_CPUS:-{}}}\nVE_MEMORY_MIB=${{VE_MEMORY_MIB:-{}}}\nVE_TASKS=${{VE_TASKS:-{}}}\n\
         VE_NODES={}\nVE_GPUS={}\nexport VE_CPUS VE_MEMORY_MIB VE_TASKS VE_NODES VE_GPUS\n",
        resources.cpus,
        resources.memory_mib,
        resources.array_tasks,
        resources.nodes,
        resources.gpus
    );
    for (name, value) in parameters {
        let _ = write!(
            text,
            "VE_PARAM_{name}={}\nexport VE_PARAM_{name}\n",
            quote(&crate::parameters::plain(value))
        );
    }
    text
}

fn params_json(parameters: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = Value::Object(parameters.clone()).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

fn place(path: &str, bytes: impl Into<Vec<u8>>, executable: bool) -> PlacedFile {
    PlacedFile {
        path: path.into(),
        bytes: bytes.into(),
        executable,
    }
}

impl Template {
    /// Renders a job. Checks resources and inputs once more: this is the provider's last look before it runs something.
    pub fn render(
        &self,
        parameters: &Parameters,
        job: &JobContext,
    ) -> Result<RenderedJob, ParameterErrors> {
        let mut errors = Vec::new();
        if let Err(ParameterErrors(more)) =
            self.check_resources(parameters, &job.resources, job.walltime)
        {
            errors.extend(more);
        }
        let inputs = &self.manifest().inputs;
        for input in inputs
            .iter()
            .filter(|i| i.required && !job.inputs.contains(&i.name))
        {
            let remedy = format!("give a file with that name: {}", input.summary);
            errors.push(ParameterError::new(
                &input.name,
                "this input is missing",
                remedy,
            ));
        }
        for name in job
            .inputs
            .iter()
            .filter(|n| !inputs.iter().any(|i| i.name == **n))
        {
            let known: Vec<_> = inputs.iter().map(|i| i.name.as_str()).collect();
            let remedy = match known.is_empty() {
                true => "this template takes no inputs; leave it away".to_string(),
                false => format!("rename it; there are: {}", known.join(", ")),
            };
            errors.push(ParameterError::new(
                name,
                format!("is not an input of {}", self.name()),
                remedy,
            ));
        }
        if !errors.is_empty() {
            return Err(ParameterErrors(errors));
        }
        let environment = environment(&parameters.0, &job.resources);
        let mut files = vec![
            place(ENVIRONMENT, environment.clone(), false),
            place(PARAMS, params_json(&parameters.0), false),
        ];
        files.extend(
            self.program_files()
                .map(|(path, bytes)| place(&format!("{PROGRAM_DIR}/{path}"), bytes, false)),
        );
        Ok(RenderedJob {
            script: LAUNCHER.into(),
            environment,
            files,
            warning: self.manifest().warning,
            requeue: self.manifest().restart.checkpoint,
            max_file_bytes: Some(self.manifest().outputs.max_bytes),
        })
    }
}

/// Renders a customer's own script, for clusters that take them. Its parameters have no schema: any value is passed on.
/// It must begin with `#!`.
pub fn render_script(
    script: &str,
    parameters: &Map<String, Value>,
    job: &JobContext,
) -> Result<RenderedJob, ParameterErrors> {
    let mut errors = unspeakable(parameters);
    if !script.starts_with("#!") {
        errors.push(ParameterError::new(
            "script",
            "does not begin with #!",
            "name its interpreter, as #!/bin/sh",
        ));
    }
    errors.extend(
        job.inputs
            .iter()
            .filter_map(|name| safe_file_name(name).err()),
    );
    if !errors.is_empty() {
        return Err(ParameterErrors(errors));
    }
    let environment = environment(parameters, &job.resources);
    let files = vec![
        place(ENVIRONMENT, environment.clone(), false),
        place(PARAMS, params_json(parameters), false),
        place(&format!("{PROGRAM_DIR}/job.sh"), script, true),
    ];
    Ok(RenderedJob {
        script: SCRIPT_LAUNCHER.into(),
        environment,
        files,
        warning: None,
        requeue: false,
        max_file_bytes: None,
    })
}

impl RenderedJob {
    /// Makes the directories and writes all files and the script below `work_dir`, readable by its owner alone; over what
    /// is there, so it can be repeated. Returns the path of the script to be submitted.
    pub fn place(&self, work_dir: &Path) -> io::Result<PathBuf> {
        for folder in [INPUT_DIR, OUTPUT_DIR, CHECKPOINT_DIR, CONTROL_DIR] {
            fs::create_dir_all(work_dir.join(folder))?;
        }
        let script = place(SCRIPT, self.script.as_str(), true);
        for file in self.files.iter().chain([&script]) {
            let path = work_dir.join(&file.path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            // Written aside and moved: a script that runs already keeps the file that it began with.
            let mut aside = path.clone().into_os_string();
            aside.push(".new");
            let mut out = fs::File::create(&aside)?;
            out.write_all(&file.bytes)?;
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                out.set_permissions(fs::Permissions::from_mode(if file.executable {
                    0o700
                } else {
                    0o600
                }))?;
            }
            out.sync_all()?;
            fs::rename(&aside, &path)?;
        }
        Ok(work_dir.join(SCRIPT))
    }
}
