//! A real SLURM cluster for worlds side by side: its users, its daemons, its accounting. Making users needs root.

#[allow(dead_code)] // Not all of its users ask for everything.
#[path = "../../../../tests/support/slurm_daemons.rs"]
mod daemons;

use crate::agent::{is_root, must, run, shared_directory};
use daemons::Daemons;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    time::Duration,
};
use ve_provider::{files::Agent, PoolSettings};
use ve_slurm::{
    cli::Access,
    identity::{Identity, PerMember, Pool},
    rest::{Endpoint, TokenSource},
    Scheduler, SlurmCli, SlurmCliConfig, SlurmRest,
};

/// What the worker's program is called here.
const PROGRAM: &str = "virtengine-worker";

/// How SLURM is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    Commands,
    Rest,
}

/// Gone with its users when dropped.
pub struct Cluster {
    daemons: Daemons,
    /// What the names of its users begin with.
    users: String,
    // After those whose jobs run as them.
    _members: Members,
    directory: tempfile::TempDir,
}

/// Users that no other cluster has. The cluster's script would keep them until the last cluster of this machine has gone.
struct Members(Vec<String>);

impl Drop for Members {
    fn drop(&mut self) {
        for member in &self.0 {
            run("flock", &["/run", "userdel", "--force", "--remove", member]);
        }
    }
}

/// What one world knows of the cluster: a pool of one, which no other world has at the same time.
#[derive(Clone, Serialize, Deserialize)]
pub struct Share {
    pub by: By,
    users: String,
    homes: PathBuf,
    program: PathBuf,
    pub conf: PathBuf,
    rest: String,
    key: PathBuf,
    cluster: String,
}

impl Cluster {
    /// A cluster that is shared by so many worlds. `None`, and it says so, without the rights to make users.
    pub fn start(worlds: usize) -> Option<Self> {
        if !is_root() {
            return None;
        }
        let directory = shared_directory(PROGRAM);
        let at = directory.path();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let users = format!("vek{}c{number}n", std::process::id());
        let members = (0..worlds).map(|n| format!("{users}{n}-000"));
        let members = Members(members.collect());
        let settings = [
            ("VE_SLURM_CPUS", "32"),
            ("VE_SLURM_POOL", "1"),
            ("VE_SLURM_USERS", &members.0.join(" ")),
        ];
        let daemons = Daemons::start(at, &settings);
        for member in &members.0 {
            let home = at.join("homes").join(member);
            fs::create_dir_all(&home).unwrap();
            fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
            must("chown", &[&format!("{member}:"), home.to_str().unwrap()]);
        }
        Some(Self {
            daemons,
            users,
            _members: members,
            directory,
        })
    }

    /// The share of a world.
    pub fn share(&self, number: usize, by: By) -> Share {
        let at = self.directory.path();
        Share {
            by,
            users: format!("{}{number}-", self.users),
            homes: at.join("homes"),
            program: at.join(PROGRAM),
            conf: self.daemons.conf(),
            rest: self.daemons.rest(),
            key: self.daemons.key(),
            cluster: self.daemons.name.clone(),
        }
    }

    /// Lets the member of a share have so many jobs at a time.
    pub fn limit(&self, share: &Share, jobs: u32) {
        let set = format!("GrpSubmitJobs={jobs}");
        let account = share.member();
        let words = ["sacctmgr", "-iQ", "modify", "account", &account, "set"];
        self.daemons.admin(&[&words[..], &[&set]].concat());
    }

    /// Jobs of the member of a share that are not over.
    pub fn going_on(&self, share: &Share) -> String {
        let member = share.member();
        self.daemons.admin(&["squeue", "-h", "-u", &member])
    }

    /// What accounting says of all attempts of jobs of a name, or of all names: state, seconds, processors.
    pub fn accounted(&self, name: Option<&str>) -> Vec<(String, u64, u64)> {
        let mut words = vec!["sacct", "-X", "-D", "-P", "-n", "-a", "-S", "1970-01-02"];
        let only = name.map(|name| format!("--name={name}"));
        words.extend(only.as_deref());
        words.extend(["-o", "State,ElapsedRaw,AllocCPUS"]);
        let text = self.daemons.admin(&words);
        let row = |line: &str| {
            let fields: Vec<&str> = line.split('|').collect();
            let number = |n: usize| fields[n].parse().expect(line);
            (fields[0].to_owned(), number(1), number(2))
        };
        text.lines().map(row).collect()
    }
}

impl Share {
    fn member(&self) -> String {
        self.users.clone() + "000"
    }

    /// The pool. `own`: where the worker keeps what it needs for the cluster's jobs.
    pub fn pool(&self, own: &Path) -> PoolSettings {
        let (share, state) = (self.clone(), own.join("submissions"));
        let client = move |member: &Identity| Ok(share.client(member, &state));
        PoolSettings {
            pool: Pool::new(&self.users, 1, &self.homes, "ve", None, 10).unwrap(),
            agent: Agent::new(self.program.clone(), Vec::new()),
            clients: Arc::new(PerMember::new(Box::new(client))),
        }
    }

    fn client(&self, member: &Identity, state: &Path) -> Arc<dyn Scheduler> {
        let identity = ve_slurm::slurm::Identity {
            account: Some(member.account.clone()),
            qos: None,
        };
        match self.by {
            By::Commands => {
                let access = Access {
                    sudo: true,
                    slurm_conf: Some(self.conf.clone()),
                    ..Access::here(&member.user)
                };
                let state_dir = state.to_owned();
                let config = SlurmCliConfig {
                    access,
                    identity,
                    state_dir,
                };
                Arc::new(SlurmCli::new(config).unwrap())
            }
            By::Rest => {
                let endpoint = Endpoint::Url(self.rest.clone());
                let tokens = TokenSource::Key {
                    file: self.key.clone(),
                    lifetime: Duration::from_secs(300),
                };
                let config = ve_slurm::RestConfig {
                    identity,
                    ..ve_slurm::RestConfig::new(
                        endpoint,
                        tokens,
                        &self.cluster,
                        &member.user,
                        state,
                    )
                };
                Arc::new(SlurmRest::new(config).unwrap())
            }
        }
    }
}
