//! A real SLURM cluster of one's own, and jobs of templates on it.

use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use ve_templates::{JobContext, Library, Wanted, CHECKPOINT_DIR, INPUT_DIR, OUTPUT_DIR};

/// Longest wait for anything; a busy machine may take it.
const PATIENCE: Duration = Duration::from_secs(600);
/// The first of the pool of users that the cluster's script makes.
const USER: &str = "ve-job-1";

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Waits until `ready` gives something.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(began.elapsed() < PATIENCE, "no {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_string()
        + &String::from_utf8_lossy(&output.stderr)
}

/// Daemons and their state, in a directory that goes with them.
pub struct Cluster {
    folder: tempfile::TempDir,
    library: Library,
}

impl Cluster {
    /// Starts one, with what the named templates need installed.
    pub fn start(port: u16, templates: &[&str]) -> Self {
        let library = Library::open(&repository().join("slurm-templates"))
            .unwrap_or_else(|problems| panic!("{problems}"));
        let folder = tempfile::Builder::new()
            .prefix("ve-workloads-")
            .tempdir_in("/var/tmp")
            .unwrap();
        // Jobs run as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = Self { folder, library };
        let mut install = Command::new("bash");
        install
            .arg(repository().join("scripts/lib/slurm-workloads.sh"))
            .arg("install")
            .args(templates);
        for mut command in [install, cluster.script("up", port)] {
            // Not through a pipe: a daemon's shell may hold on to it.
            let log = cluster.folder.path().join("start.log");
            let out = fs::File::create(&log).unwrap();
            command
                .stdin(Stdio::null())
                .stderr(out.try_clone().unwrap());
            let status = command.stdout(out).status().unwrap();
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(status.success(), "{said}");
        }
        cluster
    }

    fn script(&self, what: &str, port: u16) -> Command {
        let mut command = Command::new("bash");
        command
            .arg(repository().join("scripts/slurm-cluster.sh"))
            .arg(what)
            .env("VE_SLURM_HOME", self.folder.path().join("slurm"))
            .env("VE_SLURM_PORT", port.to_string())
            .env("VE_SLURM_CLUSTER", format!("workloads{port}"))
            .env("VE_SLURM_NODES", "2")
            .env("VE_SLURM_CPUS", "4");
        command
    }

    /// A client's command, which knows this cluster.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env(
            "SLURM_CONF",
            self.folder.path().join("slurm/etc/slurm.conf"),
        );
        command
    }

    /// Renders a template and submits it as the SLURM schedulers do: one SLURM task for each processor, a clean
    /// environment, the job's own directory.
    pub fn submit(
        &self,
        template: &str,
        parameters: &[&str],
        wanted: Wanted,
        inputs: &[&str],
    ) -> Job<'_> {
        let found = self.library.find(template).unwrap();
        let parameters = found
            .parse_cli_params(parameters)
            .unwrap_or_else(|e| panic!("{template}: {e}"));
        let need = found
            .resources(&parameters, &wanted)
            .unwrap_or_else(|e| panic!("{template}: {e}"));
        let resources = need.resources;
        let job = JobContext {
            resources,
            walltime: need.walltime,
            inputs: inputs.iter().map(|i| i.to_string()).collect(),
        };
        let rendered = found
            .render(&parameters, &job)
            .unwrap_or_else(|e| panic!("{template}: {e}"));
        let folder = tempfile::Builder::new()
            .prefix(&format!("{template}-"))
            .tempdir_in(self.folder.path())
            .unwrap()
            .keep();
        rendered.place(&folder).unwrap();
        for name in inputs {
            fs::write(
                folder.join(INPUT_DIR).join(name),
                found.example(name).unwrap(),
            )
            .unwrap();
        }
        let batch = folder.join("ve/batch.sh");
        fs::write(
            &batch,
            "#!/bin/sh\nexport PATH=/usr/local/bin:/usr/bin:/bin VE_TASK=\"${SLURM_ARRAY_TASK_ID:-0}\"\n\
             export VE_ATTEMPT=$((${SLURM_RESTART_COUNT:-0} + 1))\nexec ./ve/script.sh\n",
        )
        .unwrap();
        let mut command = self.command("sbatch");
        if nix::unistd::Uid::effective().is_root() {
            let owner = format!("{USER}:{USER}");
            let status = Command::new("chown")
                .arg("-R")
                .args([&owner])
                .arg(&folder)
                .status();
            assert!(status.unwrap().success());
            command = self.command("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--init-groups", "sbatch"]);
        }
        command
            .args([
                "--parsable",
                "--export=NIL",
                "--open-mode=append",
                "--job-name",
                template,
            ])
            .arg(format!("--chdir={}", folder.display()))
            .arg(format!("--output={}/log.%a", folder.display()))
            .arg(format!("--nodes={0}-{0}", resources.nodes))
            .arg(format!("--ntasks={}", resources.cpus))
            .arg(format!(
                "--mem={}",
                resources.memory_mib.div_ceil(resources.nodes.into())
            ))
            .arg(format!("--time={}", need.walltime.div_ceil(60)))
            .arg(if rendered.requeue {
                "--requeue"
            } else {
                "--no-requeue"
            });
        if resources.array_tasks > 1 {
            command.arg(format!("--array=0-{}", resources.array_tasks - 1));
        }
        if resources.gpus > 0 {
            command.arg(format!("--gres=gpu:{}", resources.gpus / resources.nodes));
        }
        let output = command.arg(batch).current_dir("/").output().unwrap();
        assert!(output.status.success(), "{template}: {}", said(&output));
        Job {
            cluster: self,
            id: said(&output),
            name: template.into(),
            tasks: resources.array_tasks as usize,
            folder,
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let wiped = self.script("wipe", 0).stdin(Stdio::null()).status();
        if !wiped.as_ref().is_ok_and(|status| status.success()) {
            eprintln!("the cluster could not be wiped: {wiped:?}");
        }
    }
}

/// A submitted job.
pub struct Job<'a> {
    cluster: &'a Cluster,
    pub id: String,
    name: String,
    tasks: usize,
    folder: PathBuf,
}

impl Job<'_> {
    /// What accounting says: state and exit status of each task's latest attempt.
    fn rows(&self) -> Vec<(String, String)> {
        let output = self
            .cluster
            .command("sacct")
            .args(["-X", "-P", "-n", "-o", "State,ExitCode", "-j", &self.id])
            .output()
            .unwrap();
        said(&output)
            .lines()
            .filter_map(|l| l.split_once('|'))
            .map(|(state, code)| (state.to_string(), code.to_string()))
            .collect()
    }

    /// Waits for its end; all tasks must have ended with the given exit status.
    pub fn expect(&self, code: u8) {
        let going = ["PENDING", "RUNNING", "REQUEUED", "COMPLETING", "RESIZING"];
        let rows = wait_for(&format!("end of {}", self.name), || {
            let rows = self.rows();
            // Accounting hears of the tasks of an array one by one.
            let ended = rows.iter().all(|(s, _)| !going.contains(&s.as_str()));
            (rows.len() == self.tasks && ended).then_some(rows)
        });
        let right = format!("{code}:0");
        assert!(
            rows.iter().all(|(_, c)| *c == right),
            "{}: {rows:?}\n{}",
            self.name,
            self.log()
        );
    }

    /// Waits until its log has a line that begins so.
    pub fn wait_log(&self, begins: &str) {
        wait_for(&format!("{begins} in the log of {}", self.name), || {
            self.log()
                .lines()
                .any(|l| l.starts_with(begins))
                .then_some(())
        });
    }

    pub fn log(&self) -> String {
        let mut logs: Vec<_> = fs::read_dir(&self.folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| {
                p.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with("log."))
            })
            .collect();
        logs.sort();
        logs.iter()
            .map(|p| fs::read_to_string(p).unwrap_or_default())
            .collect()
    }

    pub fn has_checkpoint(&self, name: &str) -> bool {
        self.folder.join(CHECKPOINT_DIR).join(name).exists()
    }

    pub fn output(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(OUTPUT_DIR).join(name))
            .unwrap_or_else(|e| panic!("{}: {name}: {e}\n{}", self.name, self.log()))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.output(name)).unwrap()
    }

    pub fn number(&self, name: &str, pointer: &str) -> f64 {
        let value = self.json(name);
        value
            .pointer(pointer)
            .and_then(Value::as_f64)
            .unwrap_or_else(|| panic!("{pointer} in {value}"))
    }

    /// Every output must be one that the template names, within its limits.
    pub fn check_outputs(&self) {
        let outputs = &self
            .cluster
            .library
            .find(&self.name)
            .unwrap()
            .manifest()
            .outputs;
        let root = self.folder.join(OUTPUT_DIR);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let path = entry.path();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let rule = outputs
                    .accepts(name)
                    .unwrap_or_else(|| panic!("{}: {name} is no output", self.name));
                assert!(entry.metadata().unwrap().len() <= rule.max_bytes, "{name}");
            }
        }
    }

    /// What the scheduler is told of it afterwards: `requeue`, for one.
    pub fn control(&self, what: &str) {
        let output = self
            .cluster
            .command("scontrol")
            .args([what, &self.id])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Sends a signal to the job's own script, as SLURM does ahead of the time limit.
    pub fn warn(&self, signal: &str) {
        let output = self
            .cluster
            .command("scancel")
            .args(["--batch", "--signal", signal, &self.id])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}
