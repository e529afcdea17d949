//! A cluster that a test starts, or one that it was given.

use std::{path::PathBuf, process::Command};

use tempfile::TempDir;
use ve_slurm::cli::Access;

use crate::real::{given_directory, job_user, me, shared_directory, variable, Daemons};

pub struct Cluster {
    /// `None` if it was given.
    own: Option<Daemons>,
    pub conf: PathBuf,
    pub path: String,
    pub user: String,
    pub partition: String,
    // Last: the daemons' state is in it.
    pub home: TempDir,
}

impl Cluster {
    /// The one that the environment names, or one of its own.
    pub fn given_or_own() -> Self {
        match variable("VE_SLURM_CONF") {
            None => Self::own(&[]),
            Some(conf) => Self {
                own: None,
                conf: conf.into(),
                path: variable("VE_SLURM_PATH").unwrap_or("/usr/bin:/bin".into()),
                user: variable("VE_SLURM_USER").unwrap_or_else(me),
                partition: variable("VE_SLURM_PARTITION").unwrap_or("main".into()),
                home: shared_directory(given_directory()),
            },
        }
    }

    pub fn own(settings: &[(&'static str, &str)]) -> Self {
        let home = shared_directory(std::env::temp_dir());
        let daemons = Daemons::start(home.path(), settings);
        Self {
            conf: daemons.state.join("etc/slurm.conf"),
            own: Some(daemons),
            path: "/usr/bin:/bin".into(),
            user: job_user(),
            partition: "main".into(),
            home,
        }
    }

    /// `start`, `stop` or `kill` a daemon.
    pub fn daemon(&self, what: &str, name: &str) {
        self.daemons().run(&[what, name]);
    }

    fn daemons(&self) -> &Daemons {
        self.own.as_ref().expect("a cluster of its own")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.daemons().state.clone()
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
