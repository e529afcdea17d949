//! A submission in SLURM's terms.

use std::path::Path;

use super::{tag::signal_name, wrapper, Identity, Tag};
use crate::types::SubmitSpec;

/// Longest lead of a warning signal that SLURM can keep, in seconds.
const MAX_WARNING_S: u32 = 65_535;
/// Longest text of a path or an option, well below SLURM's own limit.
const MAX_TEXT: usize = 1024;

/// What SLURM is told of a job: every option comes from the validated specification or the provider's identity map, none from
/// the script. All numbers are for one task (of an array), as SLURM wants them.
///
/// * The processors are `tasks` SLURM tasks of one processor each on exactly `nodes` nodes, so that `srun` and `mpirun`
///   start as many processes as there are processors; a script runs once and may use all those of its node.
/// * SLURM counts time limits in whole minutes and looks at them twice a minute: `minutes` is rounded up, so that nobody loses
///   time that was paid for. What exceeds the wall time must not be billed.
/// * SLURM counts memory by node: an amount that its nodes cannot share evenly is rounded up to the next MiB on each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The handle.
    pub name: String,
    /// The [`Tag`].
    pub comment: String,
    /// Partition; `None`: the cluster's default.
    pub partition: Option<String>,
    /// Account and quality of service.
    pub identity: Identity,
    /// Nodes, neither more nor fewer.
    pub nodes: u32,
    /// SLURM tasks of one processor each.
    pub tasks: u32,
    /// Memory of each node in MiB.
    pub memory_per_node_mib: u64,
    /// Accelerators of each node, `gpu:2` or `gpu:a100:2`.
    pub gres_per_node: Option<String>,
    /// Time limit of each attempt in minutes.
    pub minutes: u64,
    /// Indices of the array, `0-4`.
    pub array: Option<String>,
    /// Warning signal, `B:USR1@60`.
    pub signal: Option<String>,
    /// Whether it may be started again.
    pub requeue: bool,
    /// Directory in which it starts.
    pub work_dir: String,
    /// File of standard output, with SLURM's `%` patterns; opened to append.
    pub stdout: String,
    /// File of standard error, the same.
    pub stderr: String,
    /// The batch script: see [`wrapper`].
    pub script: String,
}

impl Request {
    /// Checks a specification and turns it into SLURM's terms. The error is for [`crate::SubmitError::Refused`]: it names
    /// the field and the remedy.
    pub fn new(spec: &SubmitSpec, identity: &Identity) -> Result<Self, String> {
        spec.check()?;
        if !spec.gpus.is_multiple_of(spec.nodes) {
            return Err(format!(
                "gpus must be a multiple of nodes ({}): SLURM gives every node as many",
                spec.nodes
            ));
        }
        if let Some(warning) = spec.warning.filter(|w| w.seconds_before > MAX_WARNING_S) {
            return Err(format!(
                "warning: {} seconds are more than SLURM can warn ahead; use at most {MAX_WARNING_S}",
                warning.seconds_before
            ));
        }
        for (field, text) in [
            ("partition", &spec.partition),
            ("gpu_type", &spec.gpu_type),
            ("account", &identity.account),
            ("qos", &identity.qos),
        ] {
            if let Some(text) = text.as_deref().filter(|text| !is_word(text)) {
                return Err(format!(
                    "{field}: {text:?} is not a name that SLURM can have; use letters, digits, `-`, `_` and `.`"
                ));
            }
        }
        let tag = Tag {
            handle: spec.handle.clone(),
            tasks: spec.array_tasks,
            warning: spec.warning,
        };
        let per_node = spec.gpus / spec.nodes;
        let array = spec.array_tasks > 1;
        Ok(Self {
            name: spec.handle.clone(),
            comment: tag.to_string(),
            partition: spec.partition.clone(),
            identity: identity.clone(),
            nodes: spec.nodes,
            tasks: spec.cpus,
            memory_per_node_mib: spec.memory_mib.div_ceil(u64::from(spec.nodes)),
            gres_per_node: (per_node > 0).then(|| match &spec.gpu_type {
                Some(kind) => format!("gpu:{kind}:{per_node}"),
                None => format!("gpu:{per_node}"),
            }),
            minutes: spec.walltime_s.div_ceil(60),
            array: array.then(|| format!("0-{}", spec.array_tasks.saturating_sub(1))),
            signal: spec
                .warning
                .map(|w| format!("B:{}@{}", signal_name(w.signal), w.seconds_before)),
            requeue: spec.requeue,
            work_dir: text("work_dir", &spec.work_dir)?,
            stdout: output("stdout", &spec.stdout, array)?,
            stderr: output("stderr", &spec.stderr, array)?,
            script: wrapper::script(spec)?,
        })
    }
}

/// Nothing that an option's parser or a shell could take for something else.
fn is_word(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric())
        && text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn text(field: &str, path: &Path) -> Result<String, String> {
    path.to_str()
        .filter(|text| text.len() <= MAX_TEXT && !text.contains(['\n', '\r']))
        .map(ToOwned::to_owned)
        .ok_or_else(|| {
            format!("{field} must be UTF-8 of at most {MAX_TEXT} bytes without line breaks")
        })
}

/// `%a` stays in an array and is 0 elsewhere; every other `%` is itself. SLURM takes a backslash for a sign that the path
/// has no patterns.
fn output(field: &str, path: &Path, array: bool) -> Result<String, String> {
    let path = text(field, path)?;
    if path.contains('\\') {
        return Err(format!("{field} must not contain a backslash"));
    }
    let parts: Vec<String> = path
        .split("%a")
        .map(|part| part.replace('%', "%%"))
        .collect();
    Ok(parts.join(if array { "%a" } else { "0" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        slurm::wrapper::tests::spec,
        types::{Warning, WarningSignal},
    };

    #[test]
    fn request_should_be_in_slurms_units_when_the_specification_is_in_ours() {
        let mut spec = spec();
        spec.cpus = 6;
        spec.nodes = 3;
        spec.memory_mib = 1000;
        spec.gpus = 6;
        spec.gpu_type = Some("a100".into());
        spec.walltime_s = 61;
        spec.warning = Some(Warning {
            signal: WarningSignal::Term,
            seconds_before: 30,
        });
        spec.stdout = "/w/100%/%a.log".into();
        let request = Request::new(&spec, &Identity::default()).unwrap();
        assert_eq!((request.nodes, request.tasks), (3, 6));
        assert_eq!(request.memory_per_node_mib, 334);
        assert_eq!(request.gres_per_node.as_deref(), Some("gpu:a100:2"));
        assert_eq!(request.minutes, 2);
        assert_eq!(request.signal.as_deref(), Some("B:TERM@30"));
        assert_eq!(request.stdout, "/w/100%%/0.log");
        assert_eq!(request.array, None);
        spec.array_tasks = 5;
        spec.stderr = spec.stdout.clone();
        let request = Request::new(&spec, &Identity::default()).unwrap();
        assert_eq!(request.array.as_deref(), Some("0-4"));
        assert_eq!(request.stdout, "/w/100%%/%a.log");
    }

    #[test]
    fn request_should_be_refused_by_field_when_slurm_could_read_it_otherwise() {
        let refused = |field: &str, change: &dyn Fn(&mut SubmitSpec)| {
            let mut spec = spec();
            change(&mut spec);
            let error = Request::new(&spec, &Identity::default()).unwrap_err();
            assert!(error.contains(field), "{field}: {error}");
        };
        refused("partition", &|s| s.partition = Some("main,other".into()));
        refused("partition", &|s| s.partition = Some("--uid=0".into()));
        refused("partition", &|s| s.partition = Some(String::new()));
        refused("gpu_type", &|s| s.gpu_type = Some("a:9".into()));
        refused("gpus", &|s| {
            s.cpus = 2;
            s.nodes = 2;
            s.gpus = 3;
        });
        refused("warning", &|s| {
            s.warning = Some(Warning {
                signal: WarningSignal::Usr1,
                seconds_before: 70_000,
            });
        });
        refused("stdout", &|s| s.stdout = "/w/a\\b".into());
        refused("work_dir", &|s| s.work_dir = "/w/a\nb".into());
    }
}
