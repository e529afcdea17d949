//! From a cluster's configuration to its scheduler.

use crate::config::{By, Cluster, Kind, Local, Rest, Slurm, Token};
use anyhow::{Context as _, Result};
use std::{ffi::OsString, path::Path, sync::Arc, time::Duration};
use ve_provider::{files::Agent, ClusterSettings, PoolSettings, RunAs};
use ve_slurm::{
    cli::{Access, Ssh},
    identity::{Identity, MakeClient, PerMember},
    rest::{Endpoint, TokenSource},
    Capacity, LocalConfig, LocalScheduler, RestConfig, Scheduler, SlurmCli, SlurmCliConfig,
    SlurmRest,
};

/// Opens the scheduler of a cluster. Nobody outside this machine is asked yet.
pub fn open(cluster: &Cluster) -> Result<ClusterSettings> {
    let name = cluster.id;
    std::fs::create_dir_all(&cluster.work_dir).with_context(|| {
        let shown = cluster.work_dir.display();
        format!("provider.clusters.work_dir of cluster {name}: {shown}")
    })?;
    let work_dir = cluster.work_dir.clone();
    Ok(match &cluster.scheduler {
        Kind::Local(local) => ClusterSettings {
            id: name,
            work_dir,
            run_as: RunAs::Worker(open_local(name, local)?),
            gpu_types: Default::default(),
            custom_scripts: false,
            partitions: false,
        },
        Kind::Slurm(slurm) => ClusterSettings {
            id: name,
            run_as: RunAs::Members(pool(slurm, &work_dir)),
            work_dir,
            gpu_types: slurm.gpu_types.clone(),
            custom_scripts: slurm.custom_scripts,
            partitions: true,
        },
    })
}

fn open_local(name: u32, local: &Local) -> Result<Arc<dyn Scheduler>> {
    // The shim is this very program.
    let program = std::env::current_exe().context("the path of this program")?;
    if let Some(parent) = local.state_dir.parent() {
        std::fs::create_dir_all(parent).with_context(|| {
            let shown = parent.display();
            format!("provider.clusters.state_dir of cluster {name}: {shown}")
        })?;
    }
    let config = LocalConfig {
        cluster: format!("cluster-{name}"),
        capacity: Capacity {
            cpus: local.cpus,
            memory_mib: local.memory_mib,
        },
        ..LocalConfig::new(&local.state_dir, &program)
    };
    let scheduler = LocalScheduler::open(config)
        .with_context(|| format!("provider.clusters.state_dir of cluster {name}"))?;
    Ok(Arc::new(scheduler))
}

/// The pool of a cluster, and the way to its members' directories.
fn pool(slurm: &Slurm, own: &Path) -> PoolSettings {
    let reach = match &slurm.by {
        By::Commands(Some(ssh)) => ssh.login(&[]).into_iter().map(OsString::from).collect(),
        _ => Vec::new(),
    };
    PoolSettings {
        pool: slurm.pool.clone(),
        agent: Agent::new(slurm.program.clone(), reach),
        clients: Arc::new(PerMember::new(clients(slurm, own))),
    }
}

/// What makes the client of a member. `own`: where the worker keeps what it needs for the cluster's jobs.
fn clients(slurm: &Slurm, own: &Path) -> Box<MakeClient> {
    let (slurm, state) = (slurm.clone(), own.join("scheduler"));
    Box::new(move |member| match &slurm.by {
        By::Rest(rest) => by_rest(rest, member, &state),
        By::Commands(ssh) => by_commands(&slurm, ssh.as_ref(), member, &state),
    })
}

/// How long a token is good that the worker makes.
const TOKEN_LIFE: Duration = Duration::from_secs(600);

fn by_rest(rest: &Rest, member: &Identity, state: &Path) -> Result<Arc<dyn Scheduler>, String> {
    let tokens = match &rest.token {
        Token::File(file) => TokenSource::File(file.clone()),
        Token::Key(file) => TokenSource::Key {
            file: file.clone(),
            lifetime: TOKEN_LIFE,
        },
    };
    let endpoint = Endpoint::Url(rest.url.clone());
    let config = RestConfig {
        identity: charged(member),
        ..RestConfig::new(endpoint, tokens, &rest.cluster, &member.user, state)
    };
    let client = SlurmRest::new(config).map_err(|error| error.to_string())?;
    Ok(Arc::new(client))
}

fn by_commands(
    slurm: &Slurm,
    ssh: Option<&Ssh>,
    member: &Identity,
    state: &Path,
) -> Result<Arc<dyn Scheduler>, String> {
    let access = Access {
        ssh: ssh.cloned(),
        sudo: true,
        slurm_conf: slurm.conf.clone(),
        ..Access::here(&member.user)
    };
    let config = SlurmCliConfig {
        access,
        identity: charged(member),
        state_dir: state.to_owned(),
    };
    let client = SlurmCli::new(config).map_err(|error| format!("{}: {error}", state.display()))?;
    Ok(Arc::new(client))
}

/// What a member's jobs are charged to.
fn charged(member: &Identity) -> ve_slurm::slurm::Identity {
    ve_slurm::slurm::Identity {
        account: Some(member.account.clone()),
        qos: member.qos.clone(),
    }
}
