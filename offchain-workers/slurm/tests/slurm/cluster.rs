//! A cluster that a test starts, or one that it was given.

use std::path::PathBuf;

use tempfile::TempDir;
use ve_slurm::cli::{Access, Ssh};

use crate::real::{given_directory, job_user, me, shared_directory, variable, Daemons};

pub struct Cluster {
    /// `None` if it was given.
    own: Option<Daemons>,
    pub conf: PathBuf,
    pub path: String,
    pub user: String,
    pub partition: String,
    /// How to reach it, if not on this machine.
    ssh: Option<Ssh>,
    // Last: the daemons' state is in it.
    pub home: TempDir,
}

/// `USER@HOST:PORT`, with the files that the environment names.
fn given_ssh(address: &str) -> Ssh {
    let file = |name: &str| {
        variable(name)
            .unwrap_or_else(|| panic!("{name} is needed with VE_SLURM_SSH"))
            .into()
    };
    let parts = address
        .split_once('@')
        .and_then(|(user, at)| Some((user, at.rsplit_once(':')?)));
    let (user, (host, port)) = parts.expect("VE_SLURM_SSH is USER@HOST:PORT");
    Ssh {
        host: host.into(),
        port: port.parse().expect("VE_SLURM_SSH ends in a port"),
        user: user.into(),
        key: file("VE_SLURM_SSH_KEY"),
        known_hosts: file("VE_SLURM_KNOWN_HOSTS"),
    }
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
                ssh: variable("VE_SLURM_SSH").map(|address| given_ssh(&address)),
                home: shared_directory(given_directory()),
            },
        }
    }

    pub fn own(settings: &[(&'static str, &str)]) -> Self {
        let home = shared_directory(std::env::temp_dir());
        let daemons = Daemons::start(home.path(), settings);
        Self {
            conf: daemons.conf(),
            own: Some(daemons),
            path: "/usr/bin:/bin".into(),
            user: job_user(),
            partition: "main".into(),
            ssh: None,
            home,
        }
    }

    /// The daemons of a cluster of its own.
    pub fn daemons(&self) -> &Daemons {
        self.own.as_ref().expect("a cluster of its own")
    }

    /// How one of its users is asked.
    pub fn access(&self, user: &str) -> Access {
        let login = self.ssh.as_ref().map_or_else(me, |ssh| ssh.user.clone());
        Access {
            ssh: self.ssh.clone(),
            sudo: user != login,
            slurm_conf: Some(self.conf.clone()),
            path: self.path.clone(),
            ..Access::here(user)
        }
    }
}
