//! `check`: everything that can be found out before the worker runs.

use crate::{
    config::{Config, Kind, Local},
    keys,
    slurm_check::{self, Partitions},
};
use sp_core::crypto::Ss58Codec;
use std::{collections::BTreeMap, time::Duration};
use ve_chain::{Chain, ConnectOptions};
use ve_provider::Library;
use virtengine_primitives::hpc::ClusterSpec;

/// One line of the table.
struct Row {
    what: &'static str,
    outcome: Result<String, String>,
}

fn show(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}

/// Checks a configuration that was read, prints a table, and returns whether all is well.
pub async fn check(config: &Config, offline: bool) -> bool {
    let mut rows = Vec::new();
    let mut row = |what, outcome| rows.push(Row { what, outcome });
    row("configuration", Ok(config.path.display().to_string()));
    let keys = keys::load(&config.keys);
    row(
        "keys",
        keys.as_ref()
            .map(|k| {
                format!(
                    "account {}, encryption key {}",
                    k.signer.account().to_ss58check(),
                    k.secret.public()
                )
            })
            .map_err(show),
    );
    row(
        "templates",
        Library::open(&config.templates)
            .map(|l| format!("{} templates", l.count()))
            .map_err(show),
    );
    row(
        "artifacts",
        ve_store::Artifacts::open(&config.artifacts)
            .map(|_| config.artifacts.clone())
            .map_err(show),
    );
    let mut nodes = BTreeMap::new();
    match &config.provider {
        None => row("provider", Err("[provider]: is missing".into())),
        Some(provider) => match crate::start::settings(config, provider) {
            Err(error) => row("schedulers", Err(show(error))),
            Ok(settings) => {
                row(
                    "schedulers",
                    Ok(format!("{} clusters", settings.clusters.len())),
                );
                for (cluster, opened) in provider.clusters.iter().zip(&settings.clusters) {
                    if let (Kind::Slurm(slurm), Some(pool)) = (&cluster.scheduler, opened.pool()) {
                        let (found, partitions) = slurm_check::check(cluster.id, slurm, pool).await;
                        for (what, outcome) in found {
                            row(what, outcome);
                        }
                        nodes.extend(partitions.map(|p| (cluster.id, p)));
                    }
                }
            }
        },
    }
    if let Ok(library) = Library::open(&config.templates) {
        for partitions in nodes.values() {
            row("resources", slurm_check::templates(&library, partitions));
        }
    }
    if !offline {
        let options = ConnectOptions {
            expected_genesis: config.genesis,
            patience: Duration::from_secs(3),
            ..ConnectOptions::default()
        };
        match Chain::connect(&config.chain_url, options).await {
            Err(error) => row("chain", Err(error.to_string())),
            Ok(chain) => {
                row("chain", Ok(format!("genesis {:?}", chain.genesis())));
                if let Ok(keys) = &keys {
                    for (what, outcome) in standing(&chain, keys, config, &nodes).await {
                        row(what, outcome);
                    }
                }
            }
        }
    }
    for Row { what, outcome } in &rows {
        match outcome {
            Ok(detail) => println!("{what:<14} ok       {detail}"),
            Err(problem) => println!("{what:<14} PROBLEM  {problem}"),
        }
    }
    rows.iter().all(|r| r.outcome.is_ok())
}

async fn standing(
    chain: &Chain,
    keys: &keys::WorkerKeys,
    config: &Config,
    nodes: &BTreeMap<u32, Partitions>,
) -> Vec<(&'static str, Result<String, String>)> {
    let mut rows = Vec::new();
    let at = match chain.at_finalized().await {
        Ok(at) => at,
        Err(error) => return vec![("finalised", Err(error.to_string()))],
    };
    let account = keys.signer.account();
    let provider = match at.provider_of(account).await {
        Ok(Some(provider)) => Ok(format!("works for provider {provider}")),
        Ok(None) => Err("works for no provider: its owner registers it with add_hot_key".into()),
        Err(error) => Err(error.to_string()),
    };
    rows.push(("hot key", provider));
    let funds = match at.balances(account).await {
        Ok(balances) if balances.free == 0 => {
            Err("has no money for fees: send it a little".to_owned())
        }
        Ok(balances) => Ok(format!("{} units free", balances.free)),
        Err(error) => Err(error.to_string()),
    };
    rows.push(("fees", funds));
    let key = match at.key_owner(&keys.secret.public().key_id()).await {
        Ok(Some(owner)) if owner == *account => Ok("registered".to_owned()),
        Ok(Some(owner)) => Err(format!("is registered by another account, {owner}")),
        Ok(None) => Err("is not registered: run `virtengine-worker key register`".into()),
        Err(error) => Err(error.to_string()),
    };
    rows.push(("encryption key", key));
    for cluster in config.provider.iter().flat_map(|p| &p.clusters) {
        let outcome = match at.cluster(cluster.id).await {
            Ok(Some(found)) => {
                let there = match (&cluster.scheduler, nodes.get(&cluster.id)) {
                    (Kind::Local(local), _) => capacity(&found.spec, cluster.id, local),
                    (Kind::Slurm(_), Some(nodes)) => {
                        slurm_check::promise(&found.spec, nodes).map(drop)
                    }
                    // Only SLURM's own commands list nodes.
                    (Kind::Slurm(_), None) => Ok(()),
                };
                there.map(|()| format!("{} belongs to provider {}", cluster.id, found.provider))
            }
            Ok(None) => Err(format!("{} is not registered on chain", cluster.id)),
            Err(error) => Err(error.to_string()),
        };
        rows.push(("cluster", outcome));
    }
    rows
}

/// What is promised on chain must be there: a job that fits the partition and not the machine costs the bond.
fn capacity(spec: &ClusterSpec, id: u32, local: &Local) -> Result<(), String> {
    for partition in &spec.partitions {
        let nodes = u64::from(partition.nodes);
        let cpus = nodes.saturating_mul(partition.cpus_per_node.into());
        let memory = nodes.saturating_mul(partition.memory_mib_per_node);
        if cpus > local.cpus.into() || memory > local.memory_mib {
            return Err(format!(
                "{}: the chain promises {cpus} processors and {memory} MiB, the configuration has {} and {}: \
                 register less or configure more",
                id, local.cpus, local.memory_mib
            ));
        }
    }
    Ok(())
}
