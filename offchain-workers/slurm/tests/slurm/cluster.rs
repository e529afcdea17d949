//! A cluster that a test starts, or one that it was given.

use std::{
    fs,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixListener},
        },
    },
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;
use ve_slurm::cli::Access;

pub struct Cluster {
    /// What it was started with; `None` if it was given.
    own: Option<Vec<(&'static str, String)>>,
    _ports: Option<UnixListener>,
    pub home: TempDir,
    pub conf: PathBuf,
    pub path: String,
    pub user: String,
    pub partition: String,
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/slurm-cluster.sh")
}

pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The user of this process.
pub fn me() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    user.ok().flatten().expect("this user has a name").name
}

/// A directory that every user may enter.
fn open_directory(parent: PathBuf) -> TempDir {
    let directory = tempfile::Builder::new()
        .prefix("ve-slurm-")
        .tempdir_in(parent)
        .expect("temporary directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    directory
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
    /// The one that the environment names, or one of its own.
    pub fn given_or_own() -> Self {
        // Cases make directories in which jobs of another user write.
        nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        match variable("VE_SLURM_CONF") {
            None => Self::own(&[]),
            Some(conf) => Self {
                own: None,
                _ports: None,
                home: open_directory(variable("VE_SLURM_DIR").unwrap_or("/tmp".into()).into()),
                conf: conf.into(),
                path: variable("VE_SLURM_PATH").unwrap_or("/usr/bin:/bin".into()),
                user: variable("VE_SLURM_USER").unwrap_or_else(me),
                partition: variable("VE_SLURM_PARTITION").unwrap_or("main".into()),
            },
        }
    }

    pub fn own(settings: &[(&'static str, &str)]) -> Self {
        nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        let home = open_directory(std::env::temp_dir());
        let state = home.path().join("cluster");
        let (port, ports) = free_ports();
        let mut all = vec![
            ("VE_SLURM_HOME", state.display().to_string()),
            ("VE_SLURM_PORT", port.to_string()),
            ("VE_SLURM_WITH", std::process::id().to_string()),
            ("VE_SLURM_CLUSTER", format!("ve{}", std::process::id())),
        ];
        all.extend(settings.iter().map(|(k, v)| (*k, (*v).to_owned())));
        let cluster = Self {
            own: Some(all),
            _ports: Some(ports),
            home,
            conf: state.join("etc/slurm.conf"),
            path: "/usr/bin:/bin".into(),
            user: if me() == "root" {
                "ve-job-1".into()
            } else {
                me()
            },
            partition: "main".into(),
        };
        let up = cluster.script(&["up"]);
        assert!(
            up.status.success(),
            "no SLURM cluster could be started, and without one nothing is proved.\n\
             Install its packages with `scripts/setup.sh tests` (root or sudo), or name a running cluster \
             with VE_SLURM_CONF.\n{}",
            String::from_utf8_lossy(&up.stderr)
        );
        cluster
    }

    fn script(&self, arguments: &[&str]) -> Output {
        let settings = self.own.as_ref().expect("a cluster of its own");
        // To a file: daemons that it starts would keep a pipe open.
        let log = self.home.path().join("script.log");
        let file = fs::File::create(&log).expect("log");
        let status = Command::new(script())
            .args(arguments)
            .env_remove("SLURM_CONF")
            .envs(settings.iter().map(|(k, v)| (*k, v)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("log"))
            .stderr(file)
            .status()
            .expect("scripts/slurm-cluster.sh runs");
        Output {
            status,
            stdout: Vec::new(),
            stderr: fs::read(log).unwrap_or_default(),
        }
    }

    /// `start`, `stop` or `kill` a daemon.
    pub fn daemon(&self, what: &str, name: &str) {
        let done = self.script(&[what, name]);
        assert!(
            done.status.success(),
            "{what} {name}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    pub fn state_dir(&self) -> PathBuf {
        self.home.path().join("cluster")
    }

    pub fn access(&self) -> Access {
        Access {
            sudo: self.user != me(),
            slurm_conf: Some(self.conf.clone()),
            path: self.path.clone(),
            ..Access::here(&self.user)
        }
    }

    /// Runs a command of SLURM's as the cluster's administrator.
    pub fn admin(&self, words: &[&str]) -> String {
        let output = Command::new(words[0])
            .args(&words[1..])
            .env("SLURM_CONF", &self.conf)
            .env("TZ", "UTC")
            .env("SLURM_TIME_FORMAT", "%s")
            .output()
            .expect("runs");
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.own.is_some() {
            if std::thread::panicking() {
                for log in ["slurmctld.log", "slurmd-n1.log", "slurmdbd.log"] {
                    let text = fs::read_to_string(self.state_dir().join("log").join(log));
                    let lines: Vec<String> = text
                        .unwrap_or_default()
                        .lines()
                        .map(ToOwned::to_owned)
                        .collect();
                    let from = lines.len().saturating_sub(20);
                    eprintln!("--- {log}\n{}", lines[from..].join("\n"));
                }
            }
            let _ = self.script(&["wipe"]);
        }
    }
}
