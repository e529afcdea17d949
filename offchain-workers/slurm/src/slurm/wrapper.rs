//! The batch script that SLURM runs: prepares what [`crate::SubmitSpec`] promises and becomes the script.
//!
//! The script travels inside it as base64, so nothing in it can be taken for a directive of `sbatch`, and it is what it was at
//! submission. It is run by the interpreter that its first line names, from a file that is gone from the directory
//! before it begins: `$0` is `/dev/fd/9`.
//!
//! The environment is what the specification says, the documented `VE_` variables, and what the cluster itself says of the
//! allocation (`SLURM_*` and the variables that choose accelerators), without which neither `srun` nor `mpirun` works.
//!
//! * `max_file_bytes` is a limit in whole KiB (`ulimit -f`), rounded down.
//! * `max_processes` is `ulimit -u`: it counts threads, and those of all jobs of the same user on the node.

use std::fmt::Write;

use super::tag::signal_name;
use crate::types::SubmitSpec;

/// Largest script in bytes. SLURM's own limit (`max_script_size`, 4 MiB) holds for the batch script with the base64 in it.
const MAX_SCRIPT: usize = 2 * 1024 * 1024;

/// Names that bash keeps for itself.
const READ_ONLY: [&str; 7] = [
    "BASHOPTS",
    "BASHPID",
    "BASH_VERSINFO",
    "EUID",
    "PPID",
    "SHELLOPTS",
    "UID",
];

/// Makes the batch script. The error names the field and the remedy.
pub fn script(spec: &SubmitSpec) -> Result<String, String> {
    let content = spec.script.as_bytes();
    let (interpreter, argument) = interpreter(content)?;
    let mut text = String::from("#!/bin/bash\n");
    // SLURM may warn while this still prepares: the signal must not be the end of the job, and must not be lost.
    if let Some(warning) = spec.warning {
        let signal = signal_name(warning.signal);
        let _ = writeln!(text, "ve_warned=\ntrap 've_warned=1' {signal}");
    }
    text.push_str(
        "umask 077\n\
         ve_fail() { echo \"virtengine: $1\" >&2; exit 126; }\n\
         ve_attempt=$((${SLURM_RESTART_COUNT:-0} + 1))\n\
         ve_task=${SLURM_ARRAY_TASK_ID:-0}\n\
         ve_run=$SLURM_CLUSTER_NAME-$SLURM_JOB_ID\n\
         # Both are open to append already; only what an earlier attempt wrote is kept.\n\
         if [ \"$ve_attempt\" = 1 ]; then : >/dev/stdout; : >/dev/stderr; fi\n\
         ve_file=$(mktemp .ve-XXXXXXXX) || ve_fail 'the working directory takes no file'\n\
         base64 -d >\"$ve_file\" <<'VE_END' || ve_fail 'the working directory is full'\n",
    );
    for line in base64(content).as_bytes().chunks(76) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(
        "VE_END\n\
         exec 9<\"$ve_file\" && rm -f \"$ve_file\" || ve_fail 'its own script cannot be read'\n\
         ulimit -c 0\n",
    );
    if let Some(limit) = spec.max_file_bytes {
        let _ = writeln!(text, "ulimit -f {}", limit / 1024);
    }
    if let Some(limit) = spec.max_processes {
        let _ = writeln!(text, "ulimit -u {limit}");
    }
    text.push_str(
        "for ve_name in $(compgen -e); do\n\
         \x20 case $ve_name in\n\
         \x20   # How this was submitted is no wish of the script's own `srun`.\n\
         \x20   SLURM_EXPORT_ENV | SLURM_GET_USER_ENV | SLURM_OPEN_MODE) unset -v \"$ve_name\" ;;\n\
         \x20   SLURM_* | CUDA_VISIBLE_DEVICES | ROCR_VISIBLE_DEVICES | ZE_AFFINITY_MASK | GPU_DEVICE_ORDINAL) ;;\n\
         \x20   *) unset -v \"$ve_name\" ;;\n\
         \x20 esac\n\
         done\n",
    );
    for (key, value) in &spec.environment {
        if !is_name(key) || READ_ONLY.contains(&key.as_str()) || key.starts_with("SLURM_") {
            return Err(format!(
                "environment: {key} cannot be set in a SLURM job; use letters, digits and `_`, and no name of bash's or SLURM's own"
            ));
        }
        let _ = writeln!(text, "export {key}={}", quoted(value));
    }
    let _ = writeln!(
        text,
        "export VE_HANDLE={} VE_TASK=$ve_task VE_TASKS={} VE_ATTEMPT=$ve_attempt VE_CPUS={} VE_MEMORY_MIB={} VE_RUN=$ve_run",
        quoted(&spec.handle),
        spec.array_tasks,
        spec.cpus,
        spec.memory_mib
    );
    if let Some(warning) = spec.warning {
        let signal = signal_name(warning.signal);
        let _ = writeln!(
            text,
            "[ -z \"$ve_warned\" ] || (PATH=/usr/bin:/bin; sleep 1; kill -s {signal} $$) &"
        );
    }
    let _ = writeln!(
        text,
        "exec {}{} /dev/fd/9",
        quoted(&interpreter),
        argument
            .map(|a| format!(" {}", quoted(&a)))
            .unwrap_or_default()
    );
    Ok(text)
}

/// What the first line names: an absolute path and at most one argument, as the kernel reads it.
fn interpreter(content: &[u8]) -> Result<(String, Option<String>), String> {
    if content.len() > MAX_SCRIPT {
        return Err(format!(
            "script: {} bytes are more than SLURM takes; keep it below {MAX_SCRIPT} and put data into files",
            content.len()
        ));
    }
    let line = content.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line
        .strip_prefix(b"#!")
        .and_then(|line| std::str::from_utf8(line).ok())
        .map(str::trim)
        .filter(|line| line.starts_with('/') && !line.contains('\0'))
        .ok_or_else(|| {
            "script must begin with `#!` and the absolute path of its interpreter".to_owned()
        })?;
    Ok(match line.split_once([' ', '\t']) {
        Some((interpreter, argument)) => (interpreter.to_owned(), Some(argument.trim().to_owned())),
        None => (line.to_owned(), None),
    })
}

fn is_name(key: &str) -> bool {
    key.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// As one word of a shell, whatever is in it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |value: u32| {
        DIGITS
            .get((value & 63) as usize)
            .copied()
            .map_or('=', char::from)
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        text.push(digit(bits >> 18));
        text.push(digit(bits >> 12));
        text.push(if chunk.len() > 1 {
            digit(bits >> 6)
        } else {
            '='
        });
        text.push(if chunk.len() > 2 { digit(bits) } else { '=' });
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        collections::BTreeMap,
        process::{Command, Stdio},
    };

    use super::*;
    use proptest::prelude::*;

    pub fn spec() -> SubmitSpec {
        SubmitSpec {
            handle: "ve-0123abcd-7".into(),
            partition: None,
            identity: None,
            work_dir: "/w".into(),
            script: "#!/bin/sh\n".into(),
            cpus: 1,
            memory_mib: 256,
            nodes: 1,
            gpus: 0,
            gpu_type: None,
            walltime_s: 60,
            array_tasks: 1,
            warning: None,
            requeue: false,
            max_file_bytes: None,
            max_processes: None,
            environment: BTreeMap::new(),
            stdout: "/w/out-%a".into(),
            stderr: "/w/err-%a".into(),
        }
    }

    /// Runs a batch script as slurmstepd would, in an empty directory; gives what it wrote.
    fn run(script: &str, set: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let batch = directory.path().join("batch");
        std::fs::write(&batch, script).unwrap();
        let out = std::fs::File::options()
            .create(true)
            .append(true)
            .open(directory.path().join("out"))
            .unwrap();
        let status = Command::new("/bin/bash")
            .arg(&batch)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LEAK", "leaked")
            .env("SLURM_CLUSTER_NAME", "c")
            .env("SLURM_JOB_ID", "5")
            .envs(set.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out)
            .status()
            .unwrap();
        let text = std::fs::read_to_string(directory.path().join("out")).unwrap();
        assert!(status.success(), "{status}: {text}");
        let mut left: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["batch", "out"]);
        text
    }

    #[test]
    fn batch_script_should_become_the_script_when_it_runs() {
        let mut spec = spec();
        spec.environment = BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("GREETING".to_owned(), "a 'b'\n$c `d`".to_owned()),
        ]);
        spec.max_file_bytes = Some(10_000);
        let body = "#!/bin/bash -e\necho \"$GREETING\"; echo ${LEAK-clean} ${SLURM_EXPORT_ENV-free} $VE_ATTEMPT $VE_TASK $VE_RUN; ulimit -f\nVE_END\n";
        spec.script = body[..body.len() - 7].to_owned();
        let text = run(
            &script(&spec).unwrap(),
            &[
                ("SLURM_RESTART_COUNT", "2"),
                ("SLURM_ARRAY_TASK_ID", "4"),
                ("SLURM_EXPORT_ENV", "NIL"),
            ],
        );
        assert_eq!(text, "a 'b'\n$c `d`\nclean free 3 4 c-5\n9\n");
    }

    #[test]
    fn script_should_be_refused_when_no_interpreter_is_named() {
        for content in ["", "echo", "#!bash\n", "#! \n", "#!/bin/\0sh\n"] {
            let mut spec = spec();
            spec.script = content.to_owned();
            let error = script(&spec).unwrap_err();
            assert!(error.contains("script"), "{error}");
        }
        let env = interpreter(b"#!/usr/bin/env  python3 -u\nx").unwrap();
        assert_eq!(env, ("/usr/bin/env".into(), Some("python3 -u".into())));
    }

    #[test]
    fn variable_should_be_refused_when_bash_or_slurm_own_it() {
        for key in ["A.B", "1A", "UID", "SLURM_CONF", "A B"] {
            let mut spec = spec();
            spec.environment.insert(key.to_owned(), String::new());
            let error = script(&spec).unwrap_err();
            assert!(error.contains("environment"), "{error}");
        }
    }

    #[test]
    fn base64_should_be_as_in_the_rfc_when_padding_is_needed() {
        // RFC 4648, section 10.
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn value_should_arrive_as_it_is_when_it_is_anything(value in "[^\\x00]{0,60}") {
            let mut spec = spec();
            spec.environment.insert("VALUE".to_owned(), value.clone());
            spec.script = "#!/bin/bash\nprintf %s \"$VALUE\"\n".into();
            let text = run(&script(&spec).unwrap(), &[]);
            prop_assert_eq!(text, value);
        }
    }
}
