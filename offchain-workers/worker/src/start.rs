//! From a checked configuration to a working role, and back to rest.

use crate::{
    config::{Config, Provider},
    config_error,
    keys::WorkerKeys,
    runtime_error, schedulers,
    serve::{serve, Served},
    Failure,
};
use anyhow::{Context as _, Result};
use prometheus::Registry;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::watch;
use ve_chain::{Chain, ChainError, ConnectOptions, Submitter};
use ve_provider::{
    failpoints::Observer, reconcile::Intervals, Artifacts, Context, Health, Identities, Library,
    Metrics, NodeChain, Records, Role, Settings,
};
use ve_store::Database;
use virtengine_primitives::ClusterId;

/// Opens the schedulers that a configuration names.
pub fn settings(config: &Config, provider: &Provider) -> Result<Settings> {
    let clusters = provider.clusters.iter().map(schedulers::open);
    let clusters = clusters.collect::<Result<Vec<_>>>()?;
    tracing::debug!(clusters = clusters.len(), config = %config.path.display(), "schedulers are open");
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Ok(Settings {
        clusters,
        intervals: Intervals {
            report: ms(provider.usage_report),
            log: ms(provider.log),
            cancel: 10_000,
            retention: ms(provider.retention),
        },
        poll: provider.poll,
        input_grace: provider.input_grace,
        parallel: provider.parallel,
        drain: provider.drain,
        customer_quota: provider.customer_quota,
        job_path: provider.job_path.clone(),
    })
}

/// Becomes true when the process is told to end.
fn stop_signal() -> Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{signal, SignalKind};
    let (tell, stop) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        let _ = tell.send(true);
        // A second signal does not wait for anything: every step can be taken up again.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(crate::exit::RUNTIME);
    });
    Ok(stop)
}

/// Connects for as long as it takes, unless told to stop, telling health why it waits.
async fn connect(
    config: &Config,
    health: &Health,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<Chain>, Failure> {
    let mut pause = Duration::from_millis(500);
    loop {
        let options = ConnectOptions {
            expected_genesis: config.genesis,
            ..ConnectOptions::default()
        };
        match Chain::connect(&config.chain_url, options).await {
            Ok(chain) => return Ok(Some(chain)),
            // Another chain, another kind of runtime, no URL: waiting does not change that.
            Err(
                error @ (ChainError::WrongGenesis { .. }
                | ChainError::BadUrl { .. }
                | ChainError::Incompatible(_)),
            ) => return Err(config_error(anyhow::Error::from(error).context("[chain]"))),
            Err(error) => {
                tracing::warn!(%error, "no connection to the chain; trying again in {pause:?}");
                health.bad(error.to_string());
            }
        }
        tokio::select! {
            _ = stop.changed() => return Ok(None),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(15));
    }
}

/// Says in the log what the owner still has to do; the role works as soon as it is done.
async fn report_standing(chain: &Chain, keys: &WorkerKeys, settings: &Settings) {
    let checked = async {
        let at = chain.at_finalized().await?;
        let account = keys.signer.account();
        let provider = at.provider_of(account).await?;
        if provider.is_none() {
            tracing::warn!(%account, "the hot key works for no provider yet: its owner registers it with add_hot_key");
        }
        let id = keys.secret.public().key_id();
        if at.key_owner(&id).await?.is_none() {
            tracing::warn!(
                "the encryption key is not registered: run `virtengine-worker key register`"
            );
        }
        for cluster in &settings.clusters {
            match (at.cluster(cluster.id).await?, provider) {
                (None, _) => tracing::warn!(
                    cluster = cluster.id,
                    "the cluster is not registered on chain"
                ),
                (Some(on_chain), Some(provider)) if on_chain.provider != provider => {
                    tracing::warn!(
                        cluster = cluster.id,
                        "the cluster belongs to another provider"
                    );
                }
                _ => {}
            }
        }
        Ok::<(), ChainError>(())
    };
    if let Err(error) = checked.await {
        tracing::warn!(%error, "the provider's standing could not be read");
    }
}

/// Sees to it that a store serves one chain. Jobs are known by their numbers, and every chain counts from the beginning:
/// job 7 of another chain must not be taken for this one's.
async fn claim(database: &Database, genesis: &str) -> Result<(), Failure> {
    let broken =
        |error: ve_store::Error| runtime_error(anyhow::Error::from(error).context("store.path"));
    let known = database.get::<String>("worker", "genesis").await;
    match known.map_err(broken)? {
        Some(known) if known.value == genesis => Ok(()),
        Some(known) => Err(config_error(anyhow::anyhow!(
            "store.path: {} belongs to the chain with genesis {}, and the node serves {genesis}; name another file, \
             or the node of that chain",
            database.path().display(),
            known.value
        ))),
        None => {
            let genesis = genesis.to_owned();
            let inserted = database.insert("worker", "genesis", &genesis).await;
            inserted.map(|_| ()).map_err(broken)
        }
    }
}

/// The identities of every cluster that has a pool. What the last process had begun to clear away is cleared.
async fn identities(database: &Database, settings: &Settings) -> HashMap<ClusterId, Identities> {
    let mut all = HashMap::new();
    for cluster in &settings.clusters {
        let Some(pool) = cluster.pool() else {
            continue;
        };
        let homes = Arc::new(pool.clone());
        let identities = Identities::new(database.clone(), cluster.id, pool.pool.clone(), homes);
        if let Err(error) = identities.sweep().await {
            tracing::warn!(cluster = cluster.id, %error, "a member of the identity pool was not cleared");
        }
        all.insert(cluster.id, identities);
    }
    all
}

/// What a configuration names, opened. Nothing outside this machine was asked.
pub struct Opened {
    settings: Settings,
    library: Library,
    artifacts: Artifacts,
}

/// Opens what a configuration names, before any port is bound.
pub fn open(config: &Config) -> Result<Opened> {
    let provider = config
        .provider
        .as_ref()
        .context("[provider]: is missing from the configuration")?;
    let library = Library::open(&config.templates).context("templates.dir")?;
    tracing::info!(
        templates = library.count(),
        "the template library is loaded"
    );
    Ok(Opened {
        settings: settings(config, provider)?,
        library,
        artifacts: Artifacts(
            ve_store::Artifacts::open(&config.artifacts).context("artifacts.url")?,
        ),
    })
}

/// Runs the provider role until the process is told to stop.
pub async fn run(
    config: Config,
    keys: WorkerKeys,
    opened: Opened,
    observer: Observer,
) -> Result<(), Failure> {
    let stop = stop_signal().map_err(runtime_error)?;
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).map_err(runtime_error)?;
    let health = Health::default();
    let served = Served {
        registry,
        roles: vec![("provider", health.clone())],
    };
    let bound = serve(config.listen, served).await.map_err(runtime_error)?;
    tracing::info!(%bound, "metrics and health are served");

    let database = Database::open(&config.store).await;
    let database = database.context("store.path").map_err(runtime_error)?;
    let records = Records::load(database.clone()).await;
    let records = records.context("store.path").map_err(runtime_error)?;
    let Some(chain) = connect(&config, &health, stop.clone()).await? else {
        return Ok(());
    };
    claim(&database, &format!("{:?}", chain.genesis())).await?;
    tracing::info!(genesis = ?chain.genesis(), account = %keys.signer.account(), "connected");
    let Opened {
        settings,
        library,
        artifacts,
    } = opened;
    report_standing(&chain, &keys, &settings).await;
    let identities = identities(&database, &settings).await;
    let submitter = Submitter::new(chain.clone(), keys.signer);
    let context = Context {
        chain: Arc::new(NodeChain::new(chain, submitter)),
        records,
        identities,
        artifacts,
        library,
        secret: keys.secret,
        settings,
        metrics,
        health,
        observer,
    };
    Role::new(context).run(stop).await;
    tracing::info!("stopped");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn claim_should_refuse_when_the_store_belongs_to_another_chain() {
        let database = Database::in_memory().await.unwrap();
        for _ in 0..2 {
            assert!(claim(&database, "0xaa").await.is_ok());
        }
        let Err(Failure { code, error }) = claim(&database, "0xbb").await else {
            panic!("another chain's jobs were taken for these");
        };
        assert_eq!(code, crate::exit::CONFIG);
        let message = error.to_string();
        assert!(
            message.contains("0xaa") && message.contains("name another file"),
            "{message}"
        );
    }
}
