//! A real cluster for as long as a test needs it.

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

pub struct Cluster {
    settings: Vec<(&'static str, String)>,
    state: PathBuf,
    log: PathBuf,
    port: u16,
    _ports: UnixListener,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/slurm-cluster.sh")
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

impl Cluster {
    /// Starts one in a directory.
    pub fn start(dir: &Path) -> Self {
        let state = dir.join("cluster");
        let (port, ports) = free_ports();
        let settings = vec![
            ("VE_SLURM_HOME", state.display().to_string()),
            ("VE_SLURM_PORT", port.to_string()),
            ("VE_SLURM_WITH", std::process::id().to_string()),
            ("VE_SLURM_CLUSTER", "vetest".to_owned()),
        ];
        let log = dir.join("script.log");
        let cluster = Self {
            settings,
            state,
            log,
            port,
            _ports: ports,
        };
        cluster.run(&["up"]);
        cluster
    }

    pub fn rest(&self) -> String {
        format!("http://127.0.0.1:{}", self.port + 2)
    }

    pub fn key(&self) -> PathBuf {
        self.state.join("etc/jwt_hs256.key")
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
            .arg(script())
            .args(arguments)
            .env_remove("SLURM_CONF")
            .envs(self.settings.iter().map(|(key, value)| (*key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .status()
            .expect("scripts/slurm-cluster.sh runs")
    }

    /// `start`, `stop` or `kill` a daemon.
    pub fn run(&self, arguments: &[&str]) {
        let done = self.script(arguments);
        assert!(
            done.success(),
            "slurm-cluster.sh {arguments:?} failed; SLURM's packages come with `scripts/setup.sh tests`:\n{}",
            fs::read_to_string(&self.log).unwrap_or_default()
        );
    }
}

impl Drop for Cluster {
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
