//! `template.toml`, as it is written. `slurm-templates/README.md` explains each field to authors.

use serde::{Deserialize, Serialize};

/// `template.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this schema: 1.
    pub schema: u32,
    /// Lower-case name, as the folder's.
    pub name: String,
    /// Three numbers, as `1.0.0`.
    pub version: String,
    /// One line.
    pub summary: String,
    /// More, for people.
    #[serde(default)]
    pub description: String,
    /// JSON Schema (draft 2020-12) of the parameters object: `properties` and, rarely, `required`.
    #[serde(default)]
    pub parameters: toml::Table,
    /// What it may be given.
    pub resources: ResourceBounds,
    /// Files that it reads.
    #[serde(default)]
    pub inputs: Vec<InputSpec>,
    /// Files that it writes.
    pub outputs: Outputs,
    /// How long it takes.
    pub cost: CostModel,
    /// What happens when it is stopped early.
    #[serde(default)]
    pub restart: Restart,
    /// Signal ahead of the time limit.
    #[serde(default)]
    pub warning: Option<Warning>,
}

/// Least, most, and what is taken when nothing is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Least.
    pub min: u64,
    /// Most.
    pub max: u64,
    /// Taken when nothing is asked for.
    pub default: u64,
}

impl Bounds {
    const fn only(value: u64) -> Self {
        Self {
            min: value,
            max: value,
            default: value,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.min <= self.default && self.default <= self.max
    }
}

/// Number of array tasks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TaskBounds {
    /// Least.
    pub min: u64,
    /// Most.
    pub max: u64,
    /// The integer parameter that says how many.
    pub parameter: String,
}

fn one() -> Bounds {
    Bounds::only(1)
}

fn none() -> Bounds {
    Bounds::only(0)
}

/// What a job of the template may be given; for an array, each task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceBounds {
    /// Nodes.
    #[serde(default = "one")]
    pub nodes: Bounds,
    /// Processors.
    pub cpus: Bounds,
    /// Memory in MiB.
    pub memory_mib: Bounds,
    /// Accelerators.
    #[serde(default = "none")]
    pub gpus: Bounds,
    /// Array tasks; absent for a plain job.
    #[serde(default)]
    pub tasks: Option<TaskBounds>,
    /// Wall time in seconds. The default is replaced by the prediction when that is longer.
    pub walltime_s: Bounds,
}

/// A file that the template reads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Its name in `VE_INPUT_DIR`.
    pub name: String,
    /// What it is.
    pub summary: String,
    /// Whether the job cannot do without.
    #[serde(default)]
    pub required: bool,
    /// Most bytes.
    pub max_bytes: u64,
}

/// Files that the template writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Most bytes of all outputs together; what is beyond it is left behind and named in the result.
    pub max_bytes: u64,
    /// Which files.
    pub files: Vec<OutputSpec>,
}

/// A file, or several of one kind, that the template writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// Path below `VE_OUTPUT_DIR`; `*` stands for any characters but `/`.
    pub path: String,
    /// What it is.
    pub summary: String,
    /// Most bytes of each file.
    pub max_bytes: u64,
}

impl Outputs {
    /// The rule under which a file below the output directory is collected; `None` if it is not an output.
    pub fn accepts(&self, path: &str) -> Option<&OutputSpec> {
        self.files.iter().find(|f| matches(&f.path, path))
    }
}

/// Whether `path` fits `pattern`, in which `*` stands for any characters but `/`.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if segment_matches(pattern, part) => {}
            _ => return false,
        }
    }
}

fn segment_matches(pattern: &str, part: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == part;
    };
    let Some(mut rest) = part.strip_prefix(head) else {
        return false;
    };
    let mut pieces = tail.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// How long a task takes: `base_s + work x ((1 - parallel) + parallel / cpus)` seconds, `work` being the sum of the
/// terms. No expressions: whoever reads it can work it out by hand.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CostModel {
    /// Seconds that every task takes.
    pub base_s: f64,
    /// The part of the work, 0 to 1, that more processors share.
    #[serde(default)]
    pub parallel: f64,
    /// The recommended time limit is this many times the prediction, plus 30 s.
    #[serde(default = "twice")]
    pub margin: f64,
    /// What adds up to the work.
    #[serde(default)]
    pub terms: Vec<CostTerm>,
}

fn twice() -> f64 {
    2.0
}

/// One term of the work: `seconds x product of factors / product of divisors`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CostTerm {
    /// Seconds on one processor when all factors are 1.
    pub seconds: f64,
    /// Numeric parameters; one that is named twice counts twice.
    #[serde(default)]
    pub factors: Vec<String>,
    /// Numeric parameters; a value below 1 counts as 1.
    #[serde(default)]
    pub divisors: Vec<String>,
}

/// What happens when a job is stopped early.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Whether it goes on from what it left in `VE_CHECKPOINT_DIR`. Only such a job is started again after its node
    /// was lost.
    #[serde(default)]
    pub checkpoint: bool,
}

/// A signal ahead of the time limit, sent to the process of `job.sh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Which.
    pub signal: Signal,
    /// How many seconds before the limit.
    pub seconds_before: u32,
}

/// A signal that schedulers can send ahead of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`.
    Usr2,
    /// `SIGINT`.
    Int,
    /// `SIGTERM`.
    Term,
}
