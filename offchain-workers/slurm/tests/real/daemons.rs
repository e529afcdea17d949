//! A cluster's daemons, for as long as a test needs them.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
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
    _ports: UnixListener,
}

/// A base of twenty ports, and what keeps other tests off them for as long as it is held: a name that the kernel forgets
/// with the process. Below the ports that the system gives out by itself.
fn free_ports() -> (u16, UnixListener) {
    let mine = u16::try_from(std::process::id() % 700).expect("small");
    (0..700u16)
        .map(|step| 10_000 + (mine + step) % 700 * 30)
        .find_map(|base| {
            let name = SocketAddr::from_abstract_name(format!("virtengine-ports-{base}")).ok()?;
            let held = UnixListener::bind_addr(&name).ok()?;
            (base..base + 20)
                .all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
                .then_some((base, held))
        })
        .expect("free ports")
}

impl Daemons {
    /// Starts a cluster in a directory, with further settings of the script.
    pub fn start(dir: &Path, settings: &[(&'static str, &str)]) -> Self {
        let state = dir.join("cluster");
        let name = format!("ve{}", std::process::id());
        let (port, ports) = free_ports();
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
            _ports: ports,
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

    /// `start`, `stop` or `kill`, and a daemon.
    pub fn run(&self, arguments: &[&str]) {
        let done = self.script(arguments);
        assert!(
            done.success(),
            "slurm-cluster.sh {arguments:?} failed, and without a cluster nothing is proved; SLURM's packages come with \
             `scripts/setup.sh tests` (root or sudo), and the test's header says how to name a running cluster:\n{}",
            fs::read_to_string(&self.log).unwrap_or_default()
        );
    }

    fn script(&self, arguments: &[&str]) -> ExitStatus {
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
        let _ = self.script(&["wipe"]);
    }
}
