//! What nobody but customer and provider may read, and where everybody could look.

use anyhow::{ensure, Result};
use std::{fs, path::PathBuf};
use virtengine_e2e::{described, Market, MarketOptions};

/// In the input and, by way of the job, in its result and its log.
const NOTE: &str = "canary-4f1c-nobody-else-reads-this";
/// In a parameter.
const PARAMETER: &str = "canary-77ab-nor-this-parameter";

#[tokio::test]
async fn nothing_secret_should_be_readable_in_chain_databases_artifacts_or_logs() -> Result<()> {
    Market::with("canary", MarketOptions::default(), canary).await
}

async fn canary(market: &mut Market) -> Result<()> {
    let customer = market.path("customers-own");
    fs::create_dir_all(&customer)?;
    let note = customer.join("note.txt");
    fs::write(&note, NOTE)?;
    let job = market.submit(&[
        "misbehave",
        "-p",
        "how=secret",
        "-p",
        &format!("tally={PARAMETER}"),
        "--time",
        "1m",
        "--in",
        &note.to_string_lossy(),
    ])?;
    market.wait_for(job, &["completed"]).await?;
    let get = |who: &str, to: PathBuf| {
        market.ve_as(who, &["get", &job.to_string(), "-o", &to.to_string_lossy()])
    };
    let got = get("alice", customer.join("out"))?;
    ensure!(got.status.success(), "{}", described(&got));
    ensure!(
        fs::read_to_string(customer.join("out/out.txt"))?.contains(NOTE),
        "the customer reads it"
    );
    let logs = market.ve_as("alice", &["logs", &job.to_string()])?;
    ensure!(described(&logs).contains(NOTE), "{}", described(&logs));
    let stranger = get("bob", market.path("bob"))?;
    ensure!(
        !stranger.status.success(),
        "somebody else opened the result"
    );

    market.kill_worker();
    market.node.stop().await?;
    // The whole state in the open, and not as the database packs it.
    let state = market.path("state.json");
    let exported = std::process::Command::new(virtengine_e2e::binary("virtengine-node"))
        .args(["export-state", "--dev", "--base-path"])
        .arg(market.node.dir.join("chain"))
        .stdout(fs::File::create(&state)?)
        .stderr(fs::File::create(market.path("export.log"))?)
        .status()?;
    ensure!(exported.success(), "see export.log");

    // What is public is found, so what is not found is not there.
    let encoded = hex::encode("bobs-cluster");
    for (public, place) in [
        ("bobs-cluster", "node"),
        (encoded.as_str(), "state.json"),
        ("handed to the scheduler", "worker.log"),
        ("scheduler_job", "worker.db"),
    ] {
        let found = market.files_containing(public.as_bytes())?;
        let place = market.path(place).to_string_lossy().to_string();
        ensure!(
            found
                .iter()
                .any(|f| f.to_string_lossy().starts_with(&place)),
            "{public} is public, and found in {found:?} only, not in {place}"
        );
    }
    let blobs = fs::read_dir(market.path("artifacts/blobs"))?.count();
    ensure!(blobs > 0, "no artifacts were stored");

    // The job's own directory holds them while the job is kept, and the worker's keys are in their file. Nothing else
    // holds them.
    let keys = fs::read_to_string(market.path("worker.key"))?;
    let keys: Vec<&str> = keys.split('"').filter(|t| t.len() >= 64).collect();
    ensure!(keys.len() == 2, "a key file holds two secrets");
    let homes = [customer, market.path("jobs"), market.path("worker.key")];
    for secret in [NOTE, PARAMETER].into_iter().chain(keys) {
        for guise in [secret.to_string(), hex::encode(secret)] {
            let mut found = market.files_containing(guise.as_bytes())?;
            found.retain(|f| !homes.iter().any(|home| f.starts_with(home)));
            ensure!(found.is_empty(), "a secret is in the clear in {found:?}");
        }
    }
    Ok(())
}
