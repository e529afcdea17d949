//! Real clusters, started when a test needs one and stopped when none does any more.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A cluster of the script's, for as long as this lives.
pub struct Cluster {
    home: PathBuf,
    settings: Vec<(&'static str, String)>,
    lock: File,
    lock_path: PathBuf,
    exclusive: bool,
    pub env: HashMap<String, String>,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/slurm-cluster.sh")
}

impl Cluster {
    /// The one that tests share who only run jobs.
    pub fn shared() -> Self {
        let mut cluster = Self::up("virtengine-rest-tests", 23_400, &[]);
        cluster.lock.lock_shared().expect("shared");
        cluster.exclusive = false;
        cluster
    }

    /// One whose daemons a test may stop; tests that do so take turns.
    pub fn own() -> Self {
        Self::up(
            "virtengine-rest-failures",
            23_500,
            &[("VE_SLURM_NODES", "1")],
        )
    }

    fn up(name: &str, port: u16, more: &[(&'static str, &str)]) -> Self {
        // Not where other users could have put one before.
        let home = std::env::temp_dir().join(format!("{name}-{}", nix::unistd::getuid()));
        let lock_path = home.with_extension("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .expect("a lock file");
        lock.lock().expect("locked");
        let mut settings = vec![
            ("VE_SLURM_HOME", home.display().to_string()),
            ("VE_SLURM_PORT", port.to_string()),
        ];
        settings.extend(more.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let mut cluster = Self {
            home,
            settings,
            lock,
            lock_path,
            exclusive: true,
            env: HashMap::new(),
        };
        cluster.run(&["up"]);
        for word in cluster.run(&["env"]).split_ascii_whitespace() {
            if let Some((key, value)) = word.split_once('=') {
                cluster.env.insert(key.to_owned(), value.to_owned());
            }
        }
        cluster
    }

    /// Runs the script.
    pub fn run(&self, arguments: &[&str]) -> String {
        let log = self.home.with_extension("log");
        let errors = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("log");
        let output = self
            .script(arguments)
            .stderr(errors)
            .output()
            .expect("the script runs");
        assert!(
            output.status.success(),
            "slurm-cluster.sh {arguments:?}: see {}",
            log.display()
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn script(&self, arguments: &[&str]) -> Command {
        // The tests themselves make files that everybody may write to; daemons must not.
        let mut command = Command::new("bash");
        command
            .args(["-c", "umask 022; exec \"$0\" \"$@\""])
            .arg(script())
            .args(arguments)
            .envs(self.settings.iter().map(|(key, value)| (*key, value)))
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.exclusive {
            // A test that failed while a daemon was stopped must not spoil the next one.
            let _ = self
                .script(&["up"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
        // Wiped unless somebody uses it by then.
        let _ = Command::new("setsid")
            .args([
                "bash",
                "-c",
                "sleep 30; exec flock --nonblock \"$0\" \"$1\" wipe",
            ])
            .arg(&self.lock_path)
            .arg(script())
            .envs(self.settings.iter().map(|(key, value)| (*key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }
}

/// Waits for a condition, generously.
pub async fn eventually<T, F: std::future::Future<Output = Result<T, String>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(last) if Instant::now() >= until => panic!("{what}: {last}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
