//! A cluster's daemons, for as long as a test needs them.

#[path = "ports.rs"]
mod ports;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
};

/// Daemons that were started by `scripts/slurm-cluster.sh`, and go when this does.
pub struct Daemons {
    settings: Vec<(&'static str, String)>,
    /// The cluster's state directory.
    pub state: PathBuf,
    /// Its name in accounting.
    pub name: String,
    log: PathBuf,
    port: u16,
}

impl Daemons {
    /// Starts a cluster in a directory, with further settings of the script.
    pub fn start(dir: &Path, settings: &[(&'static str, &str)]) -> Self {
        let state = dir.join("cluster");
        let name = format!("ve{}", std::process::id());
        let port = ports::free_ports(20);
        let mut all = vec![
            ("VE_SLURM_HOME", state.display().to_string()),
            ("VE_SLURM_PORT", port.to_string()),
            ("VE_SLURM_WITH", std::process::id().to_string()),
            ("VE_SLURM_CLUSTER", name.clone()),
        ];
        all.extend(settings.iter().map(|(k, v)| (*k, (*v).to_owned())));
        let daemons = Self {
            settings: all,
            state,
            name,
            log: dir.join("script.log"),
            port,
        };
        daemons.run(&["up"]);
        daemons
    }

    /// Address of slurmrestd.
    pub fn rest(&self) -> String {
        format!("http://127.0.0.1:{}", self.port + 2)
    }

    /// The key for tokens.
    pub fn key(&self) -> PathBuf {
        self.state.join("etc/jwt_hs256.key")
    }

    /// Its configuration.
    pub fn conf(&self) -> PathBuf {
        self.state.join("etc/slurm.conf")
    }

    /// Runs a command of SLURM's as the cluster's administrator.
    pub fn admin(&self, words: &[&str]) -> String {
        self.try_admin(words).expect("done")
    }

    /// The same; what it complains about if it fails.
    pub fn try_admin(&self, words: &[&str]) -> Result<String, String> {
        let output = self.command(words).output().expect("runs");
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).expect("UTF-8")),
            false => Err(format!(
                "{words:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    /// Runs a command as a user of the cluster. For root.
    pub fn run_as(&self, user: &str, words: &[&str]) -> Output {
        let ids = [format!("--reuid={user}"), format!("--regid={user}")];
        let as_user = ["setpriv", &ids[0], &ids[1], "--init-groups"];
        self.command(&[&as_user, words].concat())
            .output()
            .expect("runs")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir("/")
            .env("SLURM_CONF", self.conf())
            .env("TZ", "UTC")
            .env("SLURM_TIME_FORMAT", "%s")
            .stdin(Stdio::null());
        command
    }

    /// `start`, `stop` or `kill`, and a daemon.
    pub fn run(&self, arguments: &[&str]) {
        self.run_with(&[], arguments);
    }

    /// The same, with more in the daemon's environment.
    pub fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) {
        let done = self.script(environment, arguments);
        assert!(
            done.success(),
            "slurm-cluster.sh {arguments:?} failed, and without a cluster nothing is proved; SLURM's packages come with \
             `scripts/setup.sh tests` (root or sudo), and the test's header says how to name a running cluster:\n{}",
            fs::read_to_string(&self.log).unwrap_or_default()
        );
    }

    fn script(&self, environment: &[(&str, &str)], arguments: &[&str]) -> ExitStatus {
        // Into a file: daemons that it starts would keep a pipe open. Not with the tests' own umask, which lets everybody
        // write.
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("log");
        Command::new("bash")
            .args(["-c", "umask 022; exec \"$0\" \"$@\""])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/slurm-cluster.sh"))
            .args(arguments)
            .env_remove("SLURM_CONF")
            .envs(self.settings.iter().map(|(key, value)| (*key, value)))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .status()
            .expect("scripts/slurm-cluster.sh runs")
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for log in ["slurmctld", "slurmdbd", "slurmrestd", "slurmd-n1"] {
                let path = self.state.join("log").join(format!("{log}.log"));
                let text = fs::read_to_string(path).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let from = lines.len().saturating_sub(20);
                eprintln!("--- {log}\n{}", lines[from..].join("\n"));
            }
        }
        let _ = self.script(&[], &["wipe"]);
    }
}
