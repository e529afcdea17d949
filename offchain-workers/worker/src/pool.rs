//! `pool`: the identity pool of a cluster, made or shown.

use crate::{
    config::{Config, Kind, Slurm},
    config_error, runtime_error, Failure,
};
use anyhow::{anyhow, Context as _};
use std::{io::Write, process::Stdio};

/// Prints the script that makes the pool of a cluster or, with `apply`, runs it here. `worker`: the unix user that the
/// worker runs as.
pub fn pool(
    config: &Config,
    cluster: Option<u32>,
    worker: &str,
    apply: bool,
) -> Result<(), Failure> {
    let slurm = of(config, cluster)?;
    if !ve_slurm::identity::is_name(worker) {
        let message = "--worker-user: must be the name of a unix user, as virtengine";
        return Err(config_error(anyhow!(message)));
    }
    let script = slurm.pool.setup(worker, slurm.conf.as_deref());
    if !apply {
        print!("{script}");
        return Ok(());
    }
    if matches!(&slurm.by, crate::config::By::Commands(Some(_))) {
        let message = "this cluster is on another machine: run `virtengine-worker pool | ssh HOST sudo sh` instead of --apply";
        return Err(config_error(anyhow!(message)));
    }
    let run = || -> anyhow::Result<std::process::ExitStatus> {
        let mut shell = std::process::Command::new("sh")
            .arg("-s")
            .stdin(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = shell.stdin.take() {
            stdin.write_all(script.as_bytes())?;
        }
        Ok(shell.wait()?)
    };
    let status = run().context("running the script").map_err(runtime_error)?;
    if status.success() {
        Ok(())
    } else {
        Err(runtime_error(anyhow!(
            "the pool is not complete: see above, put it right, run it again"
        )))
    }
}

/// The SLURM cluster that is meant: that of the number, or the only one.
fn of(config: &Config, id: Option<u32>) -> Result<&Slurm, Failure> {
    let clusters = config.provider.iter().flat_map(|p| &p.clusters);
    let mut slurm = clusters
        .filter(|c| id.is_none_or(|id| id == c.id))
        .filter_map(|c| match &c.scheduler {
            Kind::Slurm(slurm) => Some(&**slurm),
            Kind::Local(_) => None,
        });
    match (slurm.next(), slurm.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(config_error(anyhow!(
            "the configuration has several SLURM clusters: choose one with --cluster ID"
        ))),
        (None, _) => Err(config_error(anyhow!(
            "no such SLURM cluster in the configuration; `virtengine-worker init` writes an example of one"
        ))),
    }
}
